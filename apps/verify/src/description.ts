import { type AssetId, checksumAddress, contractOf, parseAddress } from '@bulkhead/domain';
import type { GivenFile, Recognised } from '@bulkhead/verifier';
import { recogniseAll } from '@bulkhead/verifier/whole';
import type { PinName, PinTexts } from './pin-name.ts';

/** What a thing is, in words, and what has to be known to check it. */
export type Description = {
  readonly title: string;
  /** What it says of itself, which nobody has checked yet; or what to do next. */
  readonly says: string;
  /** Whether this page can do something with it. */
  readonly known: boolean;
  /** What has to be known, and what is checked besides where it is. */
  readonly needs: readonly PinName[];
  readonly helps: readonly PinName[];
  /** What follows from it for a field, where that is no matter of trust. */
  readonly suggests: PinTexts;
};

const nothing: Pick<Description, 'known' | 'needs' | 'helps' | 'suggests'> = {
  known: true,
  needs: [],
  helps: [],
  suggests: {},
};

/** Says what files are, in their order. What belongs together is told by a manifest among them. */
export function describe(files: readonly GivenFile[]): readonly Description[] {
  return recogniseAll(files).map((found) => {
    const address = found.kind === 'unrecognised' ? addressIn(found.file) : undefined;
    return address === undefined ? described(found) : describedAddress(address);
  });
}

/** The address that a short text is, with its checksum where it has one. */
export function addressIn({ bytes }: GivenFile): string | undefined {
  if (bytes.length > addressBytesMax) return undefined;
  const text = new TextDecoder().decode(bytes).trim();
  try {
    return checksumAddress(parseAddress(text));
  } catch {
    return undefined;
  }
}

/** An address, and spaces around it. */
const addressBytesMax = 100;

function describedAddress(address: string): Description {
  return {
    ...nothing,
    title: 'An address',
    says: `${address}. Bring its certificate too: the custodian gives it for every address, and it says whose the address is.`,
    suggests: { address },
  };
}

const registry: readonly PinName[] = ['registry', 'nodes'];
const own: readonly PinName[] = [...registry, 'client', 'compartment'];
const reserves: readonly PinName[] = ['codeHash', 'identities', 'excluded', 'hours'];

function described(found: Recognised): Description {
  switch (found.kind) {
    case 'package': {
      const says = ofEpoch(found.header);
      const helps: readonly PinName[] = ['codeHash', 'amount', 'decimals', 'hours'];
      return {
        ...nothing,
        title: 'Your package of a proof of reserves',
        says,
        needs: own,
        helps,
        suggests: decimals(found.header),
      };
    }
    case 'statement': {
      const says = ofEpoch(found.header);
      const helps: readonly PinName[] = ['codeHash', 'amount', 'decimals', 'hours'];
      return {
        ...nothing,
        title: 'A statement of your balance',
        says,
        needs: own,
        helps,
        suggests: decimals(found.header),
      };
    }
    case 'segregation': {
      const helps = [...reserves, ...token(found.header)];
      return {
        ...nothing,
        title: 'A proof that your compartment is yours alone',
        says: ofEpoch(found.header),
        needs: own,
        helps,
      };
    }
    case 'manifest': {
      const title = 'The list of the files of a whole proof';
      const says = `It names ${[...found.manifest.files.keys()].join(', ')}. Bring these too.`;
      return { ...nothing, title, says, needs: registry, helps: reserves };
    }
    case 'part': {
      const says = found.header === undefined ? '' : ofEpoch(found.header);
      const helps = [...reserves, ...(found.header === undefined ? [] : token(found.header))];
      return { ...nothing, title: partTitles[found.part], says, needs: registry, helps };
    }
    case 'certificate': {
      const helps: readonly PinName[] = ['address', 'client', 'compartment', 'chain', 'deployment'];
      const title = 'A certificate or record of the custodian’s signers';
      return {
        ...nothing,
        title,
        says: 'About an address, an account, a move or a decision.',
        needs: ['identities'],
        helps,
      };
    }
    case 'receipt':
    case 'consistency':
    case 'checkpoint': {
      const title = logTitles[found.kind];
      return { ...nothing, title, says: '', needs: ['logKey'], helps: ['witnesses', 'witnessesMin'] };
    }
    case 'unrecognised': {
      const says =
        'It knows what Bulkhead gives to clients: packages, statements, certificates, receipts. Is it the whole file?';
      return { ...nothing, title: 'This page does not know what this is', says, known: false };
    }
  }
}

const logTitles = {
  receipt: 'A receipt of the audit log',
  checkpoint: 'A checkpoint of an audit log',
  consistency: 'A checkpoint of an audit log, with a proof of what it goes on from',
} as const;

type Header = Extract<Recognised, { readonly kind: 'package' }>['header'];
type Part = Extract<Recognised, { readonly kind: 'part' }>['part'];

const partTitles: Readonly<Record<Part, string>> = {
  'publication.bin': 'A whole proof: what each compartment owes and holds',
  'summary.bin': 'A whole proof, with hidden amounts: its compartments',
  'leaves.bin': 'A whole proof, with hidden amounts: its claims',
  'wallets.bin': 'A whole proof: where the coins are',
  'certificates.bin': 'A whole proof: who certified the addresses',
  'statements.bin': 'A whole proof: the signed statements of balances',
};

function ofEpoch({ epoch, asset, takenAt }: Header): string {
  const day =
    takenAt < lastSecond ? new Date(Number(takenAt) * 1_000).toISOString().slice(0, 10) : 'a day beyond dates';
  return `It says that it is number ${epoch} of ${assetName(asset)}, of ${day}.`;
}

/** The first second of the year 10000. */
const lastSecond = 253_402_300_800n;

function isCoin(asset: AssetId): boolean {
  return asset.endsWith('/slip44:60');
}

function assetName(asset: AssetId): string {
  return isCoin(asset) ? `ether on chain ${asset.slice('eip155:'.length, asset.indexOf('/'))}` : asset;
}

/** That ether has 18 decimals nobody has to say; of a token nobody here knows. */
function decimals({ asset }: Header): PinTexts {
  return isCoin(asset) ? { decimals: '18' } : {};
}

function token({ asset }: Header): readonly PinName[] {
  return contractOf(asset) === undefined ? [] : ['token'];
}
