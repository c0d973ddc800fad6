import { hexQuantity } from '@bulkhead/chain-evm';
import { type Address, CustodyError } from '@bulkhead/domain';
import {
  assertVaultConfig,
  cloneCode,
  eventTopic,
  expectedStorage,
  type Hex,
  hexOf,
  type History,
  type HistoryEntry,
  type HistoryTopic,
  type InitialPolicy,
  judgeHistory,
  nativeToken,
  parseFactoryEvent,
  parseVaultEvent,
  vaultAddress,
  type VaultConfig,
  wordOf,
} from '@bulkhead/vaults';
import { type BlockHeader, readHeader } from './block-header.ts';
import type { ChainQuestions, PlacedLog } from './chain-questions.ts';
import { type Examination, hashes, provenContract, report, type Step } from './examination.ts';
import { examineCoin, examineTransfers, outflowsOf, transferTopic } from './outflow-steps.ts';
import { headersMax, provenHeaders, provenLogs } from './proven-logs.ts';
import { examineBuild, examineSignerSet, publishedBuild } from './system-steps.ts';
import { objectionToAgreement } from './client-agreement.ts';
import type { CertifiedTerms } from './vault-certificate.ts';

export type VerificationOrder = {
  readonly questions: ChainQuestions;
  readonly vault: Address;
  readonly certificate: CertifiedTerms | undefined;
  /** First block that is read. */
  readonly from: bigint;
  /** A block that whoever asks trusts; without it, the newest one that the node calls final. */
  readonly blockHash: Hex | undefined;
};

export type Verification = {
  readonly vault: Address;
  readonly block: { readonly height: bigint; readonly hash: Hex };
  readonly steps: readonly Step[];
  readonly unknowns: readonly string[];
};

/**
 * Examines a vault by what the chain says, and by nothing that its custodian says. Whatever of the state can be proven against the hash of
 * the block is; every log is read from receipts whose root stands in a header, as far as there are not too many headers.
 *
 * @throws CustodyError `chain/unavailable`, `chain/nonsense`, `vault/certificate`
 */
export async function verifyVault(order: VerificationOrder): Promise<Verification> {
  const examination = await begin(order);
  const { head, steps, unknowns } = examination;
  const done = { vault: order.vault, block: { height: head.height, hash: head.hash }, steps, unknowns };
  await examineBuild(examination);
  const logs = await readLogs(examination, order);
  const config = examineConfiguration(examination, order, logs.created);
  if (config === undefined) return done;
  if (await existedBefore(examination, order)) return done;
  examineAgreement(examination, order);
  await examineCode(examination, order.vault);
  await examineSignerSet(examination, config);
  const entries = await entriesOf(examination, logs, order.vault);
  await examineHistory(examination, order, { config, entries, logs });
  const outflows = outflowsOf(entries, config);
  const tokens = tokensOf(entries, order.certificate?.policy);
  examineTransfers(examination, { transfers: logs.transfers, outflows, tokens });
  await examineCoin(examination, { vault: order.vault, outflows, from: order.from });
  unknowns.push(...alwaysUnknown);
  return done;
}

const alwaysUnknown = [
  'Whether a destination is an address at which somebody will deploy another vault of this factory later.',
  'Who holds the keys of the signer set, of the client and of the exit: the chain knows addresses and hashes alone.',
  'What came in without a log: coin that a contract forced upon the vault, or a block gave it.',
  'What issuers of tokens may do to balances, and what tokens say that lie.',
  'Other chains: the same vault is at the same address there, with a history of its own.',
];

async function begin({ questions, blockHash, vault }: VerificationOrder): Promise<Examination> {
  const fields = (await questions.header(blockHash ?? 'finalized')) ?? (await questions.header('latest'));
  if (fields === undefined) {
    throw new CustodyError('chain/unavailable', `${questions.name} does not have the block ${blockHash ?? ''}.`);
  }
  const head = readHeader(fields);
  const examination: Examination = { questions, head, steps: [], unknowns: [] };
  const claimed = blockHash ?? fields['hash'];
  report(examination, 'block', {
    wrong:
      head.hash === claimed
        ? []
        : [`the header of block ${head.height} has the hash ${head.hash}, not ${String(claimed)}`],
    ok: `${vault} at block ${head.height}, ${head.hash}`,
  });
  if (blockHash === undefined) {
    examination.unknowns.push(
      `Whether block ${head.hash} is of the real chain: compare it with another source, or give it with --block-hash.`,
    );
  }
  return examination;
}

type Logs = {
  /** Of the vault itself. */
  readonly own: readonly PlacedLog[];
  /** `Transfer` out of it. */
  readonly transfers: readonly PlacedLog[];
  /** Every vault and forwarder of the factory. */
  readonly created: readonly PlacedLog[];
  readonly headers: ReadonlyMap<bigint, BlockHeader>;
};

/** Logs of the vault, of tokens about it, and of the factory; proven where the range is not too long. */
async function readLogs(examination: Examination, { vault, from }: VerificationOrder): Promise<Logs> {
  const { questions, head } = examination;
  const { factory } = publishedBuild;
  const holder = hexOf(wordOf(BigInt(vault)));
  const range = { from, to: head.height };
  const creation = [eventTopic(hashes, 'VaultCreated'), eventTopic(hashes, 'ForwarderCreated')];
  const said = {
    own: await questions.logs({ address: vault, topics: [] }, range),
    transfers: await questions.logs({ topics: [transferTopic, holder] }, range),
    created: (await questions.logs({ address: factory, topics: [] }, range)).filter(({ topics }) =>
      creation.includes(topics[0] ?? '0x'),
    ),
  };
  if (head.height - from >= headersMax) {
    examination.unknowns.push(
      `Whether the node showed every log: of more than ${headersMax} blocks the headers are not read one by one. Give --from a later block.`,
    );
    examination.steps.push({ name: 'logs', result: 'unknown', reason: 'taken from the node as it gave them' });
    return { ...said, headers: new Map() };
  }
  const headers = await provenHeaders(questions, head, { from });
  const proven = 'fault' in headers ? headers : await provenLogs(questions, headers.proven, [vault, holder, factory]);
  if ('fault' in headers || 'fault' in proven) {
    const fault = 'fault' in headers ? headers.fault : 'fault' in proven ? proven.fault : '';
    report(examination, 'logs', { wrong: [fault], ok: '' });
    return { ...said, headers: new Map() };
  }
  const found = {
    own: proven.proven.filter(({ address }) => address === vault),
    transfers: proven.proven.filter(({ topics }) => topics[0] === transferTopic && topics[1] === holder),
    created: proven.proven.filter(({ address, topics }) => address === factory && creation.includes(topics[0] ?? '0x')),
  };
  const wrong = (['own', 'transfers', 'created'] as const).flatMap((name) => differences(found[name], said[name]));
  report(examination, 'logs', {
    wrong,
    ok: `${found.own.length} events of the vault, read from receipts of ${headers.proven.length} blocks whose headers lead to this one`,
  });
  return { ...found, headers: new Map(headers.proven.map((header) => [header.height, header])) };
}

/** What a node said beside what its receipts prove. */
function differences(proven: readonly PlacedLog[], said: readonly PlacedLog[]): readonly string[] {
  const textOf = ({ height, address, topics, data }: PlacedLog): string => [height, address, ...topics, data].join(' ');
  const [left, right] = [proven.map(textOf), said.map(textOf)];
  const hidden = left.findIndex((text, place) => text !== right[place]);
  if (hidden !== -1) return [`the node hides or changes a log of block ${proven[hidden]?.height}`];
  return right.length > left.length ? [`the node invents a log of block ${said[left.length]?.height}`] : [];
}

/** The configuration, from the certificate or the event of the creation, and that the address follows from it. */
function examineConfiguration(
  examination: Examination,
  { vault, certificate }: VerificationOrder,
  created: readonly PlacedLog[],
): VaultConfig | undefined {
  const events = created.flatMap((log) => parseFactoryEvent(hashes, log) ?? []);
  const event = events.find((each) => each.event === 'VaultCreated' && each.vault === vault);
  const onChain = event?.event === 'VaultCreated' ? event.config : undefined;
  const config = certificate?.config ?? onChain;
  if (config === undefined) {
    const reason = 'the vault was not created in these blocks: give its certificate, or an earlier --from';
    examination.steps.push({ name: 'configuration', result: 'wrong', reason });
    return undefined;
  }
  const wrong: string[] = [];
  const address = vaultAddress(hashes, publishedBuild, config);
  if (address !== vault) wrong.push(`the configuration leads to ${address}`);
  const said = certificate?.address ?? vault;
  if (said !== vault) wrong.push(`the certificate is about ${said}`);
  if ((certificate?.factory ?? publishedBuild.factory) !== publishedBuild.factory) {
    wrong.push(`the certificate names the factory ${certificate?.factory}, which is not of this release`);
  }
  if (onChain !== undefined && vaultAddress(hashes, publishedBuild, onChain) !== vault) {
    wrong.push('the creation event tells another configuration');
  }
  wrong.push(...brokenRules(config));
  const where = certificate === undefined ? 'the event of its creation' : 'the certificate';
  report(examination, 'configuration', {
    wrong,
    ok: `${config.kind} vault of client ${config.clientId}, by ${where}; the address follows from it`,
  });
  return address === vault ? config : undefined;
}

function brokenRules(config: VaultConfig): readonly string[] {
  try {
    assertVaultConfig(config, 'contract');
    return [];
  } catch (error) {
    return [error instanceof Error ? error.message : 'a rule is broken'];
  }
}

/** A history that is read from its middle says nothing: what came before decides what was allowed. */
async function existedBefore({ questions, steps }: Examination, { vault, from }: VerificationOrder): Promise<boolean> {
  if (from === 0n) return false;
  const answer = await questions.source.ask({ method: 'eth_getCode', params: [vault, hexQuantity(from - 1n)] });
  if (!answer.ok) {
    const reason = `${questions.name} does not know whether the vault was there before block ${from}: give --from 0`;
    steps.push({ name: 'first block', result: 'unknown', reason });
    return false;
  }
  if (answer.result === '0x') return false;
  steps.push({
    name: 'first block',
    result: 'wrong',
    reason: `the vault was there before block ${from}: give an earlier --from`,
  });
  return true;
}

/** The client key signed these terms; whose key it is, the client knows. */
function examineAgreement(examination: Examination, { vault, certificate }: VerificationOrder): void {
  if (certificate?.agreement === undefined) {
    examination.unknowns.push('Whether the client signed these terms: no certificate with the signature was given.');
    return;
  }
  const objection = objectionToAgreement(vault, certificate, certificate.agreement);
  report(examination, 'agreement', {
    wrong: objection === undefined ? [] : [objection],
    ok: 'the client key signed this configuration and this initial policy',
  });
}

/** The code at the vault's address is that of every vault, byte for byte; or there is none yet. */
async function examineCode(examination: Examination, vault: Address): Promise<void> {
  const found = await provenContract(examination, vault, []);
  if ('fault' in found) return report(examination, 'code of the vault', { wrong: [found.fault], ok: '' });
  const expected = cloneCode(publishedBuild.vaultImplementation);
  const deployed = found.code.length > 0;
  report(examination, 'code of the vault', {
    wrong: !deployed || hexOf(found.code) === hexOf(expected) ? [] : [`its code is ${hexOf(found.code).slice(0, 120)}`],
    ok: deployed ? 'byte for byte that of this release' : 'not deployed yet; nothing but a vault can be deployed there',
  });
}

async function entriesOf(examination: Examination, logs: Logs, vault: Address): Promise<readonly HistoryEntry[]> {
  const entries: HistoryEntry[] = [];
  const times = new Map([...logs.headers].map(([height, { time }]) => [height, time]));
  const wrong: string[] = [];
  for (const log of logs.own) {
    const { height, transaction } = log;
    let time = times.get(height);
    if (time === undefined) {
      const fields = await examination.questions.header(hexQuantity(height));
      time = fields === undefined ? 0n : readHeader(fields).time;
      times.set(height, time);
    }
    try {
      const event = parseVaultEvent(hashes, log);
      if (event === undefined) {
        wrong.push(`Block ${height}, ${transaction}: ${vault} tells something that no vault tells`);
      } else entries.push({ height, time, transaction, event });
    } catch {
      wrong.push(`Block ${height}, ${transaction}: an event of the vault is malformed`);
    }
  }
  report(examination, 'events', { wrong, ok: `${entries.length}, each in its form` });
  return entries;
}

const topics: Readonly<Record<HistoryTopic, string>> = {
  destinations:
    'every payment by the quorum went to a destination that was listed and old enough, or was an unlisted one of an omnibus',
  vaults: 'no payment by the quorum went to a vault or forwarder of this factory',
  limits: 'every payment by the quorum was within its limit',
  fees: 'every fee was within the agreed rate',
  exits: 'exits paid the destination in force, when they were open, and nothing else moved meanwhile',
  changes: 'every change waited as agreed',
  nonces: 'no nonce was used twice',
};

async function examineHistory(
  examination: Examination,
  { vault, certificate }: VerificationOrder,
  {
    config,
    entries,
    logs,
  }: { readonly config: VaultConfig; readonly entries: readonly HistoryEntry[]; readonly logs: Logs },
): Promise<void> {
  const others = vaultsIn(logs);
  const balances = await feeBalances(examination, { vault, entries });
  const history = judgeHistory(entries, {
    config,
    policy: certificate?.policy,
    isVault: (address) => others.has(address),
    balanceAt: ({ height }, token) => balances.get(`${height} ${token}`),
  });
  for (const [topic, ok] of Object.entries(topics)) {
    const wrong = history.findings.filter((finding) => finding.topic === topic).map(({ fact }) => fact);
    report(examination, topic, { wrong, ok });
  }
  if (certificate === undefined) {
    examination.unknowns.push(
      'Whether the destinations and limits opened first are those agreed to: the certificate was not given.',
    );
  }
  if (history.feesUnknown > 0) {
    examination.unknowns.push(
      `Whether ${history.feesUnknown} fees are within the rate: the node does not know the balances of their blocks.`,
    );
  }
  if (entries.length > 0) {
    await examineStorage(examination, vault, { history, tokens: tokensOf(entries, certificate?.policy) });
  }
}

/** What the events lead to is what the state holds: so none was hidden that changed it. */
async function examineStorage(
  examination: Examination,
  vault: Address,
  { history, tokens }: { readonly history: History; readonly tokens: ReadonlySet<Address> },
): Promise<void> {
  const expected = expectedStorage(hashes, history.state, [...tokens]);
  const found = await provenContract(
    examination,
    vault,
    expected.map(({ slot }) => slot),
  );
  if ('fault' in found) return report(examination, 'state', { wrong: [found.fault], ok: '' });
  const wrong = expected
    .filter(({ slot, value, bits }) => ((found.slots.get(slot) ?? 0n) & bits) !== value)
    .map(({ name, slot, value }) => `the ${name} is ${found.slots.get(slot)}, and the events lead to ${value}`);
  report(examination, 'state', { wrong, ok: `${expected.length} slots, proven, hold what the events lead to` });
}

/** Addresses of all vaults and forwarders that the factory made. */
function vaultsIn({ created }: Logs): ReadonlySet<Address> {
  return new Set(
    created.flatMap((log) => {
      const event = parseFactoryEvent(hashes, log);
      if (event === undefined) return [];
      return [event.event === 'VaultCreated' ? event.vault : event.forwarder];
    }),
  );
}

/** Tokens of the policy, of a limit, or of a payment. */
function tokensOf(entries: readonly HistoryEntry[], policy: InitialPolicy | undefined): ReadonlySet<Address> {
  const agreed = [...(policy?.limits ?? []), ...(policy?.unlisted ?? [])].map(({ token }) => token);
  return new Set([...agreed, ...entries.flatMap(({ event }) => ('token' in event ? [event.token] : []))]);
}

/** The most a vault can have had when it paid a fee: what was there after the block, and what left in it. */
async function feeBalances(
  { questions }: Examination,
  { vault, entries }: { readonly vault: Address; readonly entries: readonly HistoryEntry[] },
): Promise<ReadonlyMap<string, bigint>> {
  const found = new Map<string, bigint>();
  for (const { height, event } of entries) {
    if (event.event !== 'FeeCollected' || event.amount === 0n) continue;
    const { token } = event;
    const left = entries
      .filter((entry) => entry.height === height && 'token' in entry.event && entry.event.token === token)
      .reduce((sum, entry) => sum + ('amount' in entry.event ? entry.event.amount : 0n), 0n);
    const call =
      token === nativeToken
        ? { method: 'eth_getBalance', params: [vault, hexQuantity(height)] }
        : {
            method: 'eth_call',
            params: [{ to: token, data: `0x70a08231${hexOf(wordOf(BigInt(vault))).slice(2)}` }, hexQuantity(height)],
          };
    const answer = await questions.source.ask(call);
    if (!answer.ok || typeof answer.result !== 'string' || !/^0x[0-9a-f]{1,64}$/u.test(answer.result)) continue;
    found.set(`${height} ${token}`, BigInt(answer.result) + left);
  }
  return found;
}
