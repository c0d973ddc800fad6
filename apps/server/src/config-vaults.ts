import { isAbsolute, join } from 'node:path';
import { type Address, type ChainId, CustodyError, parseAddress } from '@bulkhead/domain';
import { assertVaultConfig, type VaultConfig, type VaultProfile, type VaultSystem } from '@bulkhead/vaults';
import type { Section, SystemSection } from './config-schema.ts';

/** What the custodian offers to clients: a vault that is made with it keeps it for ever. */
export type OfferedTerms = Pick<
  VaultConfig,
  | 'feeBpsYear'
  | 'windowSeconds'
  | 'changeDelay'
  | 'recoveryDelay'
  | 'exitDelay'
  | 'exitChangeDelay'
  | 'heartbeatPeriod'
  | 'pauseSeconds'
>;

/** The contracts of the vaults of one chain, and who is in their set of signers. */
export type ConfiguredSystem = VaultSystem & { readonly members: readonly Address[]; readonly threshold: bigint };

export type VaultsConfiguration = {
  readonly terms: OfferedTerms;
  /** Whether times must be as long as clients' assets need, or may be the seconds of a development chain. */
  readonly profile: VaultProfile;
  /** Where certificates are kept outside of the database. */
  readonly backupDirectory: string;
  readonly systems: ReadonlyMap<ChainId, ConfiguredSystem>;
  /** Seconds between two heartbeats of each set of signers; 0 where somebody else has them made. */
  readonly heartbeatEverySeconds: bigint;
};

type Problem = { readonly place: string; readonly sentence: string };

type VaultsOrder = {
  readonly folder: string;
  readonly dataDirectory: string;
  /** Undefined where something in it is wrong and was told. */
  readonly section: Section<'vaults'> | undefined;
  readonly chains: readonly {
    readonly id: ChainId;
    readonly development: boolean;
    readonly vaults?: SystemSection | undefined;
  }[];
  /** Signers that the configuration names; undefined where they are started by themselves. */
  readonly signers: number | undefined;
};

const hour = 3_600n;
const day = 24n * hour;
const week = 7n * day;

/** Offered where the configuration says nothing else. */
const usualTerms: OfferedTerms = {
  feeBpsYear: 100n,
  windowSeconds: day,
  changeDelay: 2n * day,
  recoveryDelay: 14n * day,
  exitDelay: 14n * day,
  exitChangeDelay: 21n * day,
  heartbeatPeriod: 45n * day,
  pauseSeconds: 3n * day,
};

/** On chains whose coins are worth nothing nobody waits for days. */
const hastyTerms: OfferedTerms = {
  feeBpsYear: 100n,
  windowSeconds: day,
  changeDelay: 2n,
  recoveryDelay: 4n,
  exitDelay: 3n,
  exitChangeDelay: 6n,
  heartbeatPeriod: 45n * day,
  pauseSeconds: 3n,
};

/** What is offered to clients, on which contracts, and where their certificates go. */
export function vaultsOf(order: VaultsOrder, problems: Problem[]): VaultsConfiguration {
  const { section, chains, dataDirectory, folder } = order;
  const systems = chains.flatMap(({ id, vaults }, at) =>
    vaults === undefined ? [] : [[id, systemOf({ ...order, vaults, at }, problems)] as const],
  );
  const development = chains.every((chain) => chain.development);
  const backup = section?.backup;
  const terms = termsOf(section ?? {}, development ? hastyTerms : usualTerms);
  const profile = development ? 'contract' : 'production';
  checkTerms({ terms, profile }, problems);
  if (section !== undefined && backup === undefined && !development && systems.length > 0) {
    const sentence =
      'Certificates of vaults must be kept where the database is not, or an undeployed vault could be lost with it. Give a folder on another machine.';
    problems.push({ place: '/vaults/backup', sentence });
  }
  const backupDirectory = backup ?? join(dataDirectory, 'vault-certificates');
  return {
    terms,
    profile,
    backupDirectory: isAbsolute(backupDirectory) ? backupDirectory : join(folder, backupDirectory),
    systems: new Map(systems),
    heartbeatEverySeconds: heartbeatEvery(section?.heartbeatHours, terms, problems),
  };
}

/** Heartbeats that a period of silence has room for at least, where nobody says how often one is made. */
const heartbeatsOfPeriod = 3n;

function heartbeatEvery(hours: number | undefined, { heartbeatPeriod }: OfferedTerms, problems: Problem[]): bigint {
  if (hours === undefined) {
    const often = heartbeatPeriod / heartbeatsOfPeriod;
    return often < week ? often : week;
  }
  const every = BigInt(hours) * hour;
  if (every * 2n > heartbeatPeriod) {
    const sentence = `A heartbeat each ${hours} hours leaves no second try before ${heartbeatPeriod} s of silence open all vaults. Give at most half of that time, or 0 where a timer of yours runs "bulkhead vault heartbeat".`;
    problems.push({ place: '/vaults/heartbeatHours', sentence });
  }
  return every;
}

function termsOf(section: Partial<Section<'vaults'>>, otherwise: OfferedTerms): OfferedTerms {
  return {
    feeBpsYear: section.feeBpsYear ?? otherwise.feeBpsYear,
    windowSeconds: section.windowSeconds ?? otherwise.windowSeconds,
    changeDelay: section.changeDelaySeconds ?? otherwise.changeDelay,
    recoveryDelay: section.recoveryDelaySeconds ?? otherwise.recoveryDelay,
    exitDelay: section.exitDelaySeconds ?? otherwise.exitDelay,
    exitChangeDelay: section.exitChangeDelaySeconds ?? otherwise.exitChangeDelay,
    heartbeatPeriod: section.heartbeatPeriodSeconds ?? otherwise.heartbeatPeriod,
    pauseSeconds: section.pauseSeconds ?? otherwise.pauseSeconds,
  };
}

/** Held against the rules of the contracts now, so that no client is offered what the factory would refuse. */
function checkTerms(
  { terms, profile }: { readonly terms: OfferedTerms; readonly profile: VaultProfile },
  problems: Problem[],
): void {
  const word = (digit: string): `0x${string}` => `0x${digit.repeat(64)}`;
  const address = (digit: string): Address => parseAddress(`0x${digit.repeat(40)}`);
  const sample: VaultConfig = {
    clientId: word('1'),
    signerSet: address('2'),
    feeReceiver: address('3'),
    exitDestination: address('4'),
    clientKey: word('5'),
    exitKey: word('6'),
    policyHash: word('7'),
    kind: 'individual',
    ...terms,
  };
  try {
    assertVaultConfig(sample, profile);
  } catch (error) {
    if (!(error instanceof CustodyError)) throw error;
    problems.push({ place: '/vaults', sentence: error.message });
  }
}

type SystemOrder = VaultsOrder & { readonly vaults: SystemSection; readonly at: number };

function systemOf({ vaults, at, signers }: SystemOrder, problems: Problem[]): ConfiguredSystem {
  const place = `/chains/${at}/vaults`;
  const { members, threshold } = vaults;
  if (members.some((member, index) => index > 0 && member <= (members[index - 1] ?? member))) {
    const sentence = 'Members of the signer set ascend by address, each once, as the contract has them.';
    problems.push({ place: `${place}/members`, sentence });
  }
  if (threshold > members.length) {
    const sentence = `${threshold} of ${members.length} members can never sign. Name all members, or correct the number.`;
    problems.push({ place: `${place}/threshold`, sentence });
  }
  if (signers === undefined) {
    const sentence =
      'Signers for development make members of their own, and embedded chains get their contracts by themselves. Name the signers of this set in /signer and /vaultSigners, or remove this.';
    problems.push({ place, sentence });
  } else if (signers < threshold) {
    const sentence = `${threshold} signatures are needed and ${signers} signers are configured in /signer and /vaultSigners: vaults could never pay. List the others.`;
    problems.push({ place: `${place}/threshold`, sentence });
  }
  return { ...vaults, threshold: BigInt(threshold) };
}
