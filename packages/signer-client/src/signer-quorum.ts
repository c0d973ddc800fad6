import { nobleHashes } from '@bulkhead/authority';
import {
  type Address,
  type AddressClaim,
  type Approval,
  type CertifiedAccount,
  type CertifiedLogKey,
  type CertifiedWallet,
  type CheckpointGrant,
  type CheckpointSignRequest,
  type ChainId,
  chainOf,
  type Compartment,
  type ControlGrant,
  type ControlSignRequest,
  CustodyError,
  type DecisionRecord,
  type Evidence,
  type FaultCode,
  faultCodes,
  type ForwarderClaim,
  type Granted,
  type Intent,
  type KeyLabel,
  membersOf,
  type Outlook,
  type ProofQuorum,
  type ProofSigner,
  type QuorumGrant,
  type RegistryChange,
  type ReserveSignRequest,
  type SetChangeGrant,
  type SetChangeRequest,
  type Signature,
  type SignedStatement,
  type Signer,
  type SignerAnswer,
  type SignerSetMembers,
  type SignerStatus,
  type SignRequest,
  type VaultClaim,
  type VaultGrant,
  type VaultQuorum,
  type VaultSigner,
  type VaultSignRequest,
} from '@bulkhead/domain';
import { accountSignature, bytesOf, quorumSignatures, reserveIntentDigest, vaultIntentDigest } from '@bulkhead/vaults';
import { answersOf } from './signer-answers.ts';
import { type Pinned, verifyRecord } from './verification.ts';
import { verifyForwarder, verifyVault } from './vault-verification.ts';

/** One of the signers: how we call it, where it answers, and whom of it we believe. */
export type QuorumSigner = {
  readonly name: string;
  readonly signer: Signer & VaultSigner & ProofSigner;
  readonly pinned: Pinned;
};

export type SignerQuorumOptions = {
  /** The first one holds the keys of wallets; all of them sign for vaults. */
  readonly signers: readonly [QuorumSigner, ...QuorumSigner[]];
  /** As many must vouch for an address; the largest threshold of a set of the configuration. */
  readonly threshold: number;
  /** Who is in the set of signers of a chain now: as many of them must sign, and nobody else's signature is counted. */
  readonly setNow: (chain: ChainId) => Promise<SignerSetMembers>;
  /** Whose signature over a digest it is. @throws Error for numbers that are no signature */
  readonly recover: (digest: Uint8Array, signature: Signature) => Address;
  /** Changes of the registry that follow a version, oldest first, as they were sent to the first signer. */
  readonly changesAfter: (version: bigint) => Promise<readonly RegistryChange[]>;
};

/** What is collected from the signers: the digest that each signature must be over, and how one of them is asked. */
type Signing = {
  readonly digest: Uint8Array;
  readonly sign: (one: QuorumSigner) => Promise<VaultGrant>;
};

/** On which chain the contract is that counts them. */
type Collecting = Signing & { readonly chain: ChainId };

/** Where one signer stands. */
export type SignerStanding = SignerAnswer<SignerStatus>;

/**
 * Several signers behind the ports. What only one of them holds keys for goes to the first; what all of them must know, registry and
 * approvals, goes to all; and what a set of signers signs is collected from as many as it takes.
 *
 * The others do not have to be there. Whoever was away is sent the changes that it missed before it is asked for anything by a version
 * that it does not have.
 */
export class SignerQuorum implements Signer, VaultQuorum, ProofQuorum {
  readonly #signers: readonly [QuorumSigner, ...QuorumSigner[]];
  readonly #options: SignerQuorumOptions;

  constructor(options: SignerQuorumOptions) {
    const { signers, threshold } = options;
    if (!Number.isInteger(threshold) || threshold < 1 || threshold > signers.length) {
      throw new CustodyError(
        'config/invalid',
        `${threshold} of ${signers.length} signers can never agree: configure as many signers as the set has members.`,
      );
    }
    this.#signers = signers;
    this.#options = options;
  }

  status(): Promise<SignerStatus> {
    return this.#first.status();
  }

  account(compartment: Compartment): Promise<CertifiedAccount> {
    return this.#first.account(compartment);
  }

  wallet(key: KeyLabel): Promise<CertifiedWallet> {
    return this.#first.wallet(key);
  }

  certifyAddress(claim: AddressClaim): Promise<SignedStatement> {
    return this.#first.certifyAddress(claim);
  }

  /** What the first says; of what its key has no part in, because it left the set, what the next one says that has one. */
  async outlook(intent: Intent, evidence: Evidence): Promise<Outlook> {
    const [first, ...others] = this.#signers;
    const told = await first.signer.outlook(intent, evidence);
    if (told.refusal?.code !== 'signer/not-a-member') return told;
    const answers = await answersOf(
      others.map((one) => ({ signer: one.name, work: one.signer.outlook(intent, evidence) })),
      others.length,
    );
    const good = answers.flatMap((one) => ('answer' in one ? [one.answer] : []));
    return good.find(({ refusal }) => refusal?.code !== 'signer/not-a-member') ?? told;
  }

  sign(request: SignRequest): Promise<Granted> {
    return this.#first.sign(request);
  }

  records(after: bigint, limit: number): Promise<readonly DecisionRecord[]> {
    return this.#first.records(after, limit);
  }

  /** Gives an approval to all. What the first says counts; the others are given it again with the request to sign. */
  async lodge(intent: Intent, approval: Approval): Promise<{ readonly person: string }> {
    const [first] = await this.#everybody(({ signer }) => signer.lodge(intent, approval));
    return goodOr(first);
  }

  /** Changes the registry of all. What the first says counts; whoever is away is caught up later. */
  async change(change: RegistryChange): Promise<{ readonly version: bigint; readonly record: DecisionRecord }> {
    const changed = await this.#first.change(change);
    await this.catchUp();
    return changed;
  }

  /** Where each signer stands. */
  async standing(): Promise<readonly SignerStanding[]> {
    return this.#everybody(({ signer }) => signer.status());
  }

  /**
   * Sends the changes of the registry that it missed to each signer behind the first. A change whose intent has expired meanwhile is
   * refused there, and the answer says so: have the same list approved again, for that signer.
   *
   * @returns the version of each, or why it is not there
   */
  async catchUp(): Promise<readonly SignerAnswer<bigint>[]> {
    const { registryVersion } = await this.#first.status();
    return this.#everybody(async (one) => (one === this.#signers[0] ? registryVersion : this.#catchUp(one)));
  }

  async signVault(request: VaultSignRequest): Promise<QuorumGrant> {
    const { intent } = request;
    if (intent.kind === 'signer-set-change') {
      throw new CustodyError('invariant/broken', 'Two sides sign a change of the set: ask with signSetChange.');
    }
    return this.#collected({
      chain: 'chain' in intent ? intent.chain : chainOf(intent.asset),
      digest: vaultIntentDigest(nobleHashes, intent),
      sign: ({ signer }) => signer.signVault(request),
    });
  }

  async signReserves(request: ReserveSignRequest): Promise<QuorumGrant> {
    return this.#collected({
      chain: request.intent.chain,
      digest: reserveIntentDigest(nobleHashes, request.intent),
      sign: ({ signer }) => signer.signReserves(request),
    });
  }

  /** Verified by whoever can recover keys: see `verifyControl`. */
  signControl(request: ControlSignRequest): Promise<ControlGrant> {
    return this.#first.signControl(request);
  }

  /** Verified by whoever knows the certified key: see `verifyCheckpoint`. */
  signCheckpoint(request: CheckpointSignRequest): Promise<CheckpointGrant> {
    return this.#first.signCheckpoint(request);
  }

  logKey(): Promise<CertifiedLogKey> {
    return this.#first.logKey();
  }

  async #collected({ chain, ...asked }: Collecting): Promise<QuorumGrant> {
    const set = await this.#options.setNow(chain);
    const threshold = Number(set.threshold);
    const answers = await this.#ask(threshold, async (one) => {
      const grant = await this.#grantOf(one, asked);
      if (set.members.includes(grant.member)) return grant;
      throw wrong(one, `its key ${grant.member} is not in the set of signers`);
    });
    const grants = distinct(answers);
    const signatures = signaturesOf(grants, set);
    if (signatures === undefined) throw tooFew(answers, threshold);
    return { signatures, grants, answers };
  }

  /**
   * Everybody is waited for: which of them stand on which side follows from their keys. They are asked to sign only when both sides would:
   * a number serves one content for ever, and one that some have signed and others never will would be the last of the set.
   */
  async signSetChange({ intent, evidence, before }: SetChangeRequest): Promise<SetChangeGrant> {
    const after = { members: membersOf(intent), threshold: intent.threshold };
    const willing = await this.#willing(intent, evidence);
    const ready = willing.flatMap((one) => ('answer' in one ? one.answer : []));
    if (!isReached(ready, before)) throw tooFew(willing, Number(before.threshold));
    if (!isReached(ready, after)) throw notAccepted(ready, after);
    const digest = vaultIntentDigest(nobleHashes, intent);
    const sign = ({ signer }: QuorumSigner): Promise<VaultGrant> => signer.signVault({ intent, evidence });
    const answers = await this.#everybody(async (one) => this.#grantOf(one, { digest, sign }));
    const grants = distinct(answers);
    const quorumSignatures = signaturesOf(grants, before);
    if (quorumSignatures === undefined) throw tooFew(answers, Number(before.threshold));
    const memberSignatures = signaturesOf(grants, after);
    if (memberSignatures === undefined) {
      throw notAccepted(
        grants.map(({ member }) => member),
        after,
      );
    }
    return { quorumSignatures, memberSignatures, grants };
  }

  /** Member keys of each signer that would sign a change. Asking binds nothing. */
  async #willing(
    intent: SetChangeRequest['intent'],
    evidence: Evidence,
  ): Promise<readonly SignerAnswer<readonly Address[]>[]> {
    const asked = async ({ signer }: QuorumSigner): Promise<readonly Address[]> => {
      const { refusal } = await signer.outlook(intent, evidence);
      // After its time those who signed in time say it again, and the others bind nothing any more.
      if (refusal !== undefined && refusal.code !== 'signer/intent-expired') {
        throw new CustodyError(faultCodeOf(refusal.code), refusal.message);
      }
      return (await signer.status()).members ?? [];
    };
    return this.#everybody(async (one) => this.#upToDate(one, asked));
  }

  async certifyVault(claim: VaultClaim): Promise<readonly SignedStatement[]> {
    return this.#certified(async ({ signer, pinned }) => {
      const certificate = await signer.certifyVault(claim);
      verifyVault(certificate, claim, pinned);
      return certificate;
    });
  }

  async certifyForwarder(claim: ForwarderClaim): Promise<readonly SignedStatement[]> {
    return this.#certified(async ({ signer, pinned }) => {
      const certificate = await signer.certifyForwarder(claim);
      verifyForwarder(certificate, claim, pinned);
      return certificate;
    });
  }

  get #first(): Signer & VaultSigner & ProofSigner {
    return this.#signers[0].signer;
  }

  async #certified(certify: (one: QuorumSigner) => Promise<SignedStatement>): Promise<readonly SignedStatement[]> {
    const { threshold } = this.#options;
    const answers = await this.#ask(threshold, async (one) => this.#upToDate(one, certify));
    const certificates = answers.flatMap((one) => ('answer' in one ? [one.answer] : []));
    if (certificates.length < threshold) throw tooFew(answers, threshold);
    return certificates;
  }

  async #everybody<T>(ask: (one: QuorumSigner) => Promise<T>): Promise<readonly SignerAnswer<T>[]> {
    return this.#ask(this.#signers.length, ask);
  }

  async #ask<T>(needed: number, ask: (one: QuorumSigner) => Promise<T>): Promise<readonly SignerAnswer<T>[]> {
    return answersOf(
      this.#signers.map((one) => ({ signer: one.name, work: ask(one) })),
      needed,
    );
  }

  async #grantOf(one: QuorumSigner, { digest, sign }: Signing): Promise<VaultGrant> {
    const grant = await this.#upToDate(one, sign);
    this.#assertGrant(one, { grant, digest });
    return grant;
  }

  /** A refusal by an older registry is no answer: it is asked again once it has what the first one has. */
  async #upToDate<T>(one: QuorumSigner, ask: (one: QuorumSigner) => Promise<T>): Promise<T> {
    try {
      return await ask(one);
    } catch (error) {
      if (!(error instanceof CustodyError) || error.code === 'signer/unavailable') throw error;
      const before = await one.signer.status();
      if ((await this.#catchUp(one)) === before.registryVersion) throw error;
      return ask(one);
    }
  }

  async #catchUp({ signer }: QuorumSigner): Promise<bigint> {
    let { registryVersion: version } = await signer.status();
    for (const change of await this.#options.changesAfter(version)) {
      ({ version } = await signer.change(change));
    }
    return version;
  }

  /** That it is a signature of the member it names over what was asked for, and written down by that very signer. */
  #assertGrant(
    one: QuorumSigner,
    { grant, digest }: { readonly grant: VaultGrant; readonly digest: Uint8Array },
  ): void {
    const { member, signature, record } = grant;
    if (recovered(this.#options.recover, digest, signature) !== member) {
      throw wrong(one, `its signature is not one of ${member} over what was asked for`);
    }
    const { type, fields } = verifyRecord(record, one.pinned.identities);
    const signed = Buffer.from(digest).toString('hex');
    if (type === 'granted' && fields['signed'] === signed && fields['member'] === member) return;
    throw wrong(one, 'its record is about something else');
  }
}

function recovered(
  recover: SignerQuorumOptions['recover'],
  digest: Uint8Array,
  signature: Signature,
): Address | undefined {
  try {
    return recover(digest, signature);
  } catch {
    return undefined;
  }
}

/** Slots of one signer count once: two answers of one member are one. */
function distinct(answers: readonly SignerAnswer<VaultGrant>[]): readonly VaultGrant[] {
  const byMember = new Map<Address, VaultGrant>();
  for (const one of answers) if ('answer' in one) byMember.set(one.answer.member, one.answer);
  return [...byMember.values()];
}

/** As the contract takes them, of as many members as must sign; undefined where fewer did. */
function signaturesOf(grants: readonly VaultGrant[], { members, threshold }: SignerSetMembers): Uint8Array | undefined {
  const counted = grants.filter(({ member }) => members.includes(member)).slice(0, Number(threshold));
  if (BigInt(counted.length) < threshold) return undefined;
  return bytesOf(
    quorumSignatures(new Map(counted.map(({ member, signature }) => [member, accountSignature(signature)]))),
  );
}

function isReached(ready: readonly Address[], { members, threshold }: SignerSetMembers): boolean {
  return BigInt(members.filter((member) => ready.includes(member)).length) >= threshold;
}

function notAccepted(ready: readonly Address[], { members, threshold }: SignerSetMembers): CustodyError {
  const accepted = members.filter((member) => ready.includes(member));
  return new CustodyError(
    'signer/not-a-member',
    `${accepted.length} of those who are to be in the set of signers accept, and ${threshold} must. Missing: ${members.filter((member) => !accepted.includes(member)).join(', ')}. Have their signers run, with the registry of the others, and in the configuration.`,
    { details: { accepted: accepted.length, threshold: threshold.toString() } },
  );
}

function goodOr<T>(answer: SignerAnswer<T> | undefined): T {
  if (answer !== undefined && 'answer' in answer) return answer.answer;
  throw new CustodyError(codeOf(answer), answer?.message ?? 'No signer was asked.');
}

/** The refusal that most signers gave, with what each of them said. */
function tooFew<T>(answers: readonly SignerAnswer<T>[], threshold: number): CustodyError {
  const refused = answers.flatMap((one) => ('answer' in one ? [] : [one]));
  const counts = new Map<string, number>();
  for (const { code } of refused) {
    if (code !== 'signer/unavailable') counts.set(code, (counts.get(code) ?? 0) + 1);
  }
  const [most] = [...counts].sort(([, a], [, b]) => b - a);
  const said = refused.map(({ signer, code, message }) => `${signer} (${code}): ${message}`).join(' ');
  return new CustodyError(
    faultCodeOf(most?.[0] ?? 'signer/unavailable'),
    `${answers.length - refused.length} of ${answers.length} signers have agreed, and ${threshold} must. ${said}`.slice(
      0,
      4_000,
    ),
    { details: { agreed: answers.length - refused.length, threshold } },
  );
}

function codeOf<T>(answer: SignerAnswer<T> | undefined): FaultCode {
  return faultCodeOf(answer !== undefined && 'code' in answer ? answer.code : 'signer/unavailable');
}

function faultCodeOf(code: string): FaultCode {
  return faultCodes.find((known) => known === code) ?? 'signer/protocol';
}

function wrong({ name }: QuorumSigner, fact: string): CustodyError {
  return new CustodyError(
    'signer/certificate-invalid',
    `What ${name} answered counts for nothing: ${fact}. Take it out of service and find out who runs it.`,
    { details: { signer: name } },
  );
}
