/** A parameter of a function, event or error, as the compiler describes it. */
export type AbiParameter = {
  readonly name: string;
  readonly type: string;
  readonly internalType?: string;
  readonly indexed?: boolean;
  readonly components?: readonly AbiParameter[];
};

export type StateMutability = 'pure' | 'view' | 'nonpayable' | 'payable';

/** One entry of a contract's interface. The shapes are those that viem and other libraries take. */
export type AbiEntry =
  | {
      readonly type: 'function';
      readonly name: string;
      readonly inputs: readonly AbiParameter[];
      readonly outputs: readonly AbiParameter[];
      readonly stateMutability: StateMutability;
    }
  | {
      readonly type: 'constructor';
      readonly inputs: readonly AbiParameter[];
      readonly stateMutability: 'nonpayable' | 'payable';
    }
  | { readonly type: 'event'; readonly name: string; readonly inputs: readonly AbiParameter[] }
  | { readonly type: 'error'; readonly name: string; readonly inputs: readonly AbiParameter[] }
  | { readonly type: 'receive'; readonly stateMutability: 'payable' };

/** A compiled contract: what deploys it and how to talk to it. */
export type Artifact = {
  readonly name: string;
  readonly abi: readonly AbiEntry[];
  /** Creation code without constructor arguments. */
  readonly bytecode: `0x${string}`;
};

type CompilerParameter = {
  readonly name: string;
  readonly type: string;
  readonly internalType?: string;
  readonly indexed?: boolean;
};

type CompilerEntry = {
  readonly type: string;
  readonly name?: string;
  readonly inputs?: readonly CompilerParameter[];
  readonly outputs?: readonly CompilerParameter[];
  readonly stateMutability?: string;
};

/** What the compiler wrote, with the wide types an imported JSON file has. */
export type CompilerArtifact = {
  readonly name: string;
  readonly abi: readonly CompilerEntry[];
  readonly bytecode: string;
};

/**
 * Gives an imported artifact its narrow types.
 *
 * @throws Error when the artifact is not what `compile.ts` writes
 */
export function parseArtifact(source: CompilerArtifact): Artifact {
  const bytecode = source.bytecode;
  if (!isHex(bytecode)) throw new Error(`The bytecode of ${source.name} is not hex.`);
  return {
    name: source.name,
    abi: source.abi.map((entry) => parseEntry(entry, source.name)),
    bytecode,
  };
}

function isHex(text: string): text is `0x${string}` {
  return /^0x(?:[0-9a-f]{2})+$/u.test(text);
}

function parseEntry(entry: CompilerEntry, contract: string): AbiEntry {
  const inputs = entry.inputs ?? [];
  const name = entry.name ?? '';
  switch (entry.type) {
    case 'function':
      return {
        type: 'function',
        name,
        inputs,
        outputs: entry.outputs ?? [],
        stateMutability: parseMutability(entry.stateMutability),
      };
    case 'constructor':
      return {
        type: 'constructor',
        inputs,
        stateMutability: entry.stateMutability === 'payable' ? 'payable' : 'nonpayable',
      };
    case 'event':
      return { type: 'event', name, inputs };
    case 'error':
      return { type: 'error', name, inputs };
    case 'receive':
      return { type: 'receive', stateMutability: 'payable' };
    default:
      throw new Error(`${contract} has an interface entry of the unknown type "${entry.type}".`);
  }
}

function parseMutability(text: string | undefined): StateMutability {
  if (text === 'pure' || text === 'view' || text === 'payable') return text;
  return 'nonpayable';
}
