import type { Custody } from '@bulkhead/custody';
import type { Address, ChainId } from '@bulkhead/domain';
import type { ApiUser, Cast } from './client.ts';
import type { Outside } from './outside.ts';
import type { Signatories } from './people.ts';

/**
 * Types a command of Bulkhead as somebody would who has nothing else, and waits until it is done. Throws where it ends otherwise: `fails`, by
 * what it found.
 */
export type Typed = (words: readonly string[], ends?: 'holds' | 'fails') => Promise<void>;

/** How the story is told, and how commands are typed in it. */
export type Telling = { readonly say: (line: string) => void; readonly typed: Typed };

/** Where the story takes place. */
export type Scene = {
  readonly api: ApiUser;
  readonly cast: Cast;
  readonly signatories: Signatories;
  /** People who must approve a withdrawal, as the rules of the signer have it. */
  readonly approvals: number;
  readonly outside: Outside;
  readonly chain: ChainId;
  /** For what the API does not do yet, and for whoever has taken over the server. */
  readonly custody: Custody;
  readonly dataDirectory: string;
  readonly say: (line: string) => void;
  readonly typed: Typed;
};

/** A client of the demonstration, as far as the API told. */
export type Player = {
  readonly name: string;
  readonly id: string;
  readonly segregation: 'individual' | 'omnibus';
  readonly compartment: number;
  readonly address: Address;
};

export type Players = {
  readonly aurora: Player;
  readonly boreas: Player;
  readonly celsus: Player;
  readonly delphi: Player;
  readonly nobody: Address;
};
