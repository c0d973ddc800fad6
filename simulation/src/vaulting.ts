import type { vaultViews } from '@bulkhead/custody';
import { type CertificateBackup, type HouseTerms, type VaultSetup } from '@bulkhead/custody';
import { type Address, type AssetId, type Compartment, parseCompartment } from '@bulkhead/domain';
import {
  DelegateProgram,
  type FakeChain,
  fakeDelegateCode,
  fakeKeccak,
  FakeQuorum,
  type FakeSigner,
  fakeVaultSystem,
  fakeVerifyForwarder,
  fakeVerifyVault,
  namedAddress,
  type Random,
  type SoftwareKey,
  softwareKey,
  VaultProgram,
} from '@bulkhead/fakes';
import {
  type InitialPolicy,
  parseInitialPolicy,
  parseVaultConfig,
  vaultAddress,
  type VaultConfig,
  type VaultState,
} from '@bulkhead/vaults';
import { mortalQuorum, type Mortality, type SignerWeather } from './interruption.ts';

/** A vault as the world knows it: its client has both keys, and everybody can see the configuration. */
export type WorldVault = {
  readonly id: string;
  readonly address: Address;
  readonly compartment: Compartment;
  /** Of a client's own vault. */
  readonly client: string | undefined;
  readonly config: VaultConfig;
  readonly policy: InitialPolicy;
  readonly clientKey: SoftwareKey;
  /** Next nonce of client key and exit key; each has nonces of its own. */
  nextNonce: bigint;
};

/** What a world with vaults has beside. */
export type Vaulting = {
  readonly program: VaultProgram;
  readonly quorum: FakeQuorum;
  readonly vaults: WorldVault[];
  /** A token that nobody here follows, and that anybody can send to a vault. */
  readonly unfollowed: AssetId;
  /** Whether addresses with keys are swept by delegates, and how often the signers show that they are there; zero: not at all. */
  readonly delegates: boolean;
  readonly heartbeatEverySeconds: bigint;
};

/** Who steals with fewer keys than a quorum has; nothing of a vault must ever be here. */
export const vaultThief: Address = namedAddress('vault thief');
/** In fake signatures of clients nobody looks at the bytes. */
const anySignature = '0x';
export const farAway: bigint = 2n ** 40n;

const hour = 3_600n;
const terms: HouseTerms = {
  feeBpsYear: 50n,
  windowSeconds: 6n * hour,
  changeDelay: hour / 2n,
  recoveryDelay: 24n * hour,
  exitDelay: hour,
  exitChangeDelay: 2n * hour,
  heartbeatPeriod: 240n * hour,
  pauseSeconds: hour,
};

export function makeVaulting(chain: FakeChain, signer: FakeSigner, random: Random): Vaulting {
  const program = new VaultProgram(chain.id);
  chain.ground.programs.push(program, new DelegateProgram(chain.id));
  const unfollowed = chain.ground.deployToken({ name: 'GIFT', listed: false });
  const delegates = random.percent(60);
  const heartbeatEverySeconds = random.percent(60) ? 24n * hour : 0n;
  return { program, quorum: new FakeQuorum(signer), vaults: [], unfollowed, delegates, heartbeatEverySeconds };
}

/** What one process knows of vaults. */
export function vaultSetup(
  { quorum, delegates, heartbeatEverySeconds }: Vaulting,
  chain: FakeChain,
  { mortality, weather }: { readonly mortality: Mortality; readonly weather: SignerWeather },
): VaultSetup {
  const backup: CertificateBackup = { store: async () => mortality.point() };
  return {
    systems: new Map([[chain.id, { ...fakeVaultSystem, ...(delegates ? { delegateCode: fakeDelegateCode } : {}) }]]),
    quorum: mortalQuorum(quorum, mortality, weather),
    verifyVault: fakeVerifyVault,
    verifyForwarder: fakeVerifyForwarder,
    backup,
    profile: 'contract',
    heartbeatEverySeconds,
    terms,
  };
}

/** Keys of the vault that is founded as the one with this number. */
export function keysOf(number: number): { readonly clientKey: SoftwareKey; readonly exitKey: SoftwareKey } {
  return { clientKey: softwareKey(2 * number + 1), exitKey: softwareKey(2 * number + 2) };
}

type Shown = Awaited<ReturnType<typeof vaultViews>>[number];

/** The vault that a view tells of. */
export function worldVault(view: Shown, clientKey: SoftwareKey): WorldVault {
  const config = parseVaultConfig(view.configuration);
  return {
    id: view.id,
    address: vaultAddress(fakeKeccak, fakeVaultSystem, config),
    compartment: parseCompartment(view.compartment),
    client: view.clientId ?? undefined,
    config,
    policy: parseInitialPolicy(view.policy),
    clientKey,
    nextNonce: 0n,
  };
}

/** A message that a key of the client signed, with a nonce that was never used. */
export function signedByClient(vault: WorldVault): {
  readonly bounds: { readonly nonce: bigint; readonly deadline: bigint };
  readonly signature: typeof anySignature;
} {
  const nonce = vault.nextNonce;
  vault.nextNonce += 1n;
  return { bounds: { nonce, deadline: farAway }, signature: anySignature };
}

/** What a vault remembers at the newest block, or at an older one. */
export function stateOf(
  { program }: Vaulting,
  chain: FakeChain,
  at: { vault: WorldVault; height?: bigint },
): VaultState {
  return program.stateOf(at.vault.address, chain.ground.programState(at.height));
}
