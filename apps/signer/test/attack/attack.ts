import type { FaultCode, SignRequest, VaultSignRequest } from '@bulkhead/domain';
import type { SignerCoreOptions } from '../../src/core/options.ts';
import type { World } from '../../src/core/testing/world.ts';

/** One thing that somebody with full control of the database and the API tries, and what honest people do instead. */
export type Attack = {
  readonly name: string;
  readonly code: FaultCode;
  readonly before?: (world: World) => Promise<unknown>;
  readonly attack: (world: World) => Promise<unknown>;
  readonly honest: (world: World) => Promise<unknown>;
  /** Whether the honest way ends in a signature. */
  readonly signs: boolean;
  readonly options?: Partial<SignerCoreOptions>;
};

type Requests = {
  readonly before?: (world: World) => Promise<unknown>;
  readonly attack: (world: World) => SignRequest;
  readonly honest: (world: World) => SignRequest;
};

/** An attack that asks for a signature. */
export function asking(name: string, code: FaultCode, { before, attack, honest }: Requests): Attack {
  return {
    name,
    code,
    ...(before === undefined ? {} : { before }),
    attack: async (world) => world.core().sign(attack(world)),
    honest: async (world) => world.core().sign(honest(world)),
    signs: true,
  };
}

type VaultRequests = {
  readonly before?: (world: World) => Promise<unknown>;
  readonly attack: (world: World) => VaultSignRequest;
  readonly honest: (world: World) => VaultSignRequest;
};

/** An attack that asks for a signature of a member of the set of signers. */
export function askingMember(name: string, code: FaultCode, { before, attack, honest }: VaultRequests): Attack {
  return {
    name,
    code,
    ...(before === undefined ? {} : { before }),
    attack: async (world) => world.core().signVault(attack(world)),
    honest: async (world) => world.core().signVault(honest(world)),
    signs: true,
  };
}

/** An attack of any other kind, whose honest way need not end in a signature. */
export function acting(name: string, code: FaultCode, own: Omit<Attack, 'name' | 'code' | 'signs'>): Attack {
  return { name, code, signs: false, ...own };
}
