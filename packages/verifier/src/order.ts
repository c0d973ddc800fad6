import type { Address, Compartment } from '@bulkhead/domain';
import type { BalancePlace, ClaimKind } from '@bulkhead/proofs';
import type { Tile } from '@bulkhead/tlog';
import type { CertificateKnowledge } from './certificate-check.ts';
import type { ChainNode } from './chain-node.ts';

/** A file that somebody was given. */
export type GivenFile = { readonly name: string; readonly bytes: Uint8Array };

/** A registry that somebody pinned: from the custodian's agreement, an auditor, or a certificate; never from the proof itself. */
export type PinnedRegistry = {
  /** EIP-155 number of its chain. */
  readonly chain: bigint;
  /** 20 bytes. */
  readonly address: Uint8Array;
  /** Keccak-256 of its code, where the reader has it. */
  readonly codeHash?: Uint8Array;
};

/** What a client knows of its own claim, from its own books. */
export type OwnKnowledge = {
  readonly compartment: Compartment;
  readonly holder: Uint8Array;
  /** `client` where it is not said. */
  readonly kind?: ClaimKind;
  /** In the asset's smallest unit; without it amounts are told and not judged. */
  readonly amount?: bigint;
};

/** Where a token has its balances, as the reader knows from its source or from somebody who read that. */
export type PinnedToken = {
  readonly token: Address;
  readonly balances: BalancePlace;
  /** Keccak-256 of the token's code that was read. A proxy's says nothing about the code behind it. */
  readonly codeHash?: Uint8Array;
};

/** Keys of the audit log, in the text of C2SP signed-note. */
export type PinnedLog = {
  readonly key: string;
  readonly witnesses: readonly string[];
  /** How many of these witnesses must have cosigned. */
  readonly witnessesMin: number;
  /** Whose heartbeats state checkpoints of this log, on which chain; `fromBlock` is the first that is looked at, 0 without it. */
  readonly anchor?: { readonly chain: bigint; readonly signerSet: Address; readonly fromBlock?: bigint };
};

/** Where the contracts of vaults are; those of this release where nothing is said. */
export type VaultBuild = {
  readonly factory: Address;
  readonly vaultImplementation: Address;
  readonly forwarderImplementation: Address;
};

/** All that a check takes as given. What is missing here is not guessed from a file: the step that needs it is `unknown`. */
export type Pins = {
  readonly registry?: PinnedRegistry;
  readonly own?: OwnKnowledge;
  /** Identity keys of the signers, hex, from the record of the ceremony. */
  readonly identities?: readonly string[];
  /** Fields that a certificate or record must have exactly so: `client`, `chain`, `address`, `compartment`, `deployment`. */
  readonly expected?: Readonly<Record<string, string>>;
  readonly log?: PinnedLog;
  readonly tokens?: readonly PinnedToken[];
  readonly build?: VaultBuild;
  /** Addresses that are not this custodian's clients': its own, and those that other custodians show. */
  readonly excluded?: readonly Address[];
  /** Seconds after which a proof is too old for the reader. */
  readonly staleAfterSeconds?: bigint;
};

export type Examination = {
  readonly files: readonly GivenFile[];
  readonly pins: Pins;
  /** Nodes of the registry's chain and of the asset's; two of different people are better than one. */
  readonly nodes: readonly ChainNode[];
  /** Unix seconds now, where there is a clock: a node that stands still is seen by it. */
  readonly nowSeconds?: bigint;
  /** Whether an address is one of an account; an account's certificate is told and not judged without it. */
  readonly hasAddress?: CertificateKnowledge['hasAddress'];
  /**
   * Gives a tile of the log, from whoever has copies: none is believed that does not lead to a signed root.
   * Rejects with a CustodyError `log/malformed` where there is none.
   */
  readonly readTile?: (tile: Tile) => Promise<Uint8Array>;
  readonly progress?: (what: string) => void;
};
