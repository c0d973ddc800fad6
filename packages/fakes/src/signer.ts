import { createHash } from 'node:crypto';
import {
  type Address,
  type AddressClaim,
  type Approval,
  type CertifiedAccount,
  type CertifiedDepositAddress,
  type CertifiedWallet,
  chainOf,
  type Clock,
  type Compartment,
  CustodyError,
  type DecisionRecord,
  type Evidence,
  type FaultCode,
  feeMax,
  type Granted,
  type Hex,
  type Intent,
  intentBytes,
  intentDigest,
  isMovement,
  isVaultMatter,
  type KeyLabel,
  type KeyRef,
  type KeyResidency,
  type MovementIntent,
  nativeAsset,
  type Outlook,
  parseIntent,
  recipientIndexCount,
  type RegistryChange,
  type SignedStatement,
  type Signer,
  type SignerStatus,
  type SignRequest,
  type VaultIntent,
} from '@bulkhead/domain';
import { addressOfKey, digestOf, fakeXpub, signAs } from './key.ts';
import { fakeDeployment, fakeStatement, FakeSignerLog, isFakeStatement } from './signer-log.ts';
import { bytesOf, nativeToken, standardAddress, sweepDelegateCreationCode } from '@bulkhead/vaults';
import { readAuthorization } from './authorization.ts';
import { fakeDelegateCode } from './delegate-program.ts';
import { fakeKeccak } from './vault-program.ts';
import { decodeUnsigned, encodeUnsigned, transactionOf } from './transaction.ts';

/** A signature as the fake signer takes it: whoever knows a name can sign for it, and for one intent only. */
export function fakeApproval(person: string, intent: Intent, key: string = 'key-1'): Approval {
  return { person, key, kind: 'ed25519', signature: digestOf('approval', person, key, intentDigest(intent)).repeat(2) };
}

/** Refuses what the fake signer did not certify, as the port of the server must. */
export function fakeVerifyAccount({ compartment, xpub, residency, certificate }: CertifiedAccount): void {
  const said = fakeStatement('account-certificate', { compartment: String(compartment), xpub, residency });
  if (isFakeStatement(certificate) && certificate.statement === said.statement) return;
  throw new CustodyError('signer/certificate-invalid', `The certificate of compartment ${compartment} is not right.`);
}

export function fakeVerifyWallet({ compartment, label, address, residency, certificate }: CertifiedWallet): void {
  const said = fakeStatement('wallet-certificate', { compartment: String(compartment), label, address, residency });
  if (isFakeStatement(certificate) && certificate.statement === said.statement) return;
  throw new CustodyError('signer/certificate-invalid', `The certificate of key ${compartment}/${label} is not right.`);
}

export function fakeVerifyDepositAddress(certified: CertifiedDepositAddress): void {
  const { client, chain, key, address, certificate } = certified;
  const said = fakeStatement('address-certificate', {
    client,
    chain,
    address,
    compartment: String(key.compartment),
  });
  if (isFakeStatement(certificate) && certificate.statement === said.statement) return;
  throw new CustodyError('signer/certificate-invalid', `The certificate of ${address} for ${client} is not right.`);
}

export type FakeRefusal = { readonly code: FaultCode; readonly message: string };

/** What the registry of the fake signer would say. A test may change it at any time. */
export type FakeRules = {
  /** People who approve a withdrawal or a return, the requester not among them. */
  quorum: number;
  /** People who approve what moves between our own wallets. */
  ownQuorum: number;
  /** People who approve a change of the registry. */
  registryQuorum: number;
  /** Whose signatures count; undefined for everybody's. */
  people: ReadonlySet<string> | undefined;
  /** A refusal of what would otherwise be fine. */
  refuse: ((intent: Intent) => FakeRefusal | undefined) | undefined;
};

/**
 * Holds every key of every compartment and signs what an intent says and nothing else, as a real signer must: with enough
 * signatures of people, one nonce for an intent and one intent for a nonce, and a record of each decision. It verifies nothing
 * by mathematics, which is what makes it a fake.
 */
export class FakeSigner implements Signer {
  residency: KeyResidency = 'software';
  readonly rules: FakeRules = { quorum: 2, ownQuorum: 0, registryQuorum: 2, people: undefined, refuse: undefined };
  /** Everything that was signed, in order, repetitions too. */
  readonly signed: SignRequest[] = [];
  readonly log: FakeSignerLog;
  /** Nobody answers. */
  down = false;
  /** How often it was asked anything. */
  asked = 0;
  readonly #clock: Clock;
  #version = 1n;
  /** Intent of each (chain, sender, nonce), and nonce of each intent: for ever. */
  readonly #intentOfNonce: Map<string, string> = new Map();
  readonly #nonceOfIntent: Map<string, string> = new Map();
  readonly #grants: Map<string, Granted> = new Map();
  readonly #changes: Map<string, { readonly version: bigint; readonly record: DecisionRecord }> = new Map();
  readonly #lodged: Set<string> = new Set();
  readonly #certified: Map<string, string> = new Map();
  /** Addresses that it knows for its own: of keys with a label that were asked for, and of the first indices. */
  readonly #labelled: Set<Address> = new Set();
  readonly #derived: Map<Compartment, ReadonlySet<Address>> = new Map();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.log = new FakeSignerLog(clock);
    this.log.append('opened', {});
  }

  async status(): Promise<SignerStatus> {
    this.#answers();
    return {
      deployment: fakeDeployment,
      residency: this.residency,
      registryVersion: this.#version,
      registryHash: digestOf('registry', String(this.#version)),
      sequence: this.log.sequence,
      identities: [fakeStatement('head', {}).identity],
      slots: [],
    };
  }

  async account(compartment: Compartment): Promise<CertifiedAccount> {
    this.#answers();
    const { residency } = this;
    const { xpub } = fakeXpub(compartment);
    const certificate = fakeStatement('account-certificate', { compartment: String(compartment), xpub, residency });
    return { compartment, xpub, residency, certificate };
  }

  async wallet(key: KeyLabel): Promise<CertifiedWallet> {
    this.#answers();
    const address = addressOfKey(key);
    const { compartment, label } = key;
    const residency: KeyResidency = 'hsm';
    this.#labelled.add(address);
    const fields = { compartment: String(compartment), label, address, residency };
    return { ...key, address, residency, certificate: fakeStatement('wallet-certificate', fields) };
  }

  async certifyAddress({ client, chain, key }: AddressClaim): Promise<SignedStatement> {
    this.#answers();
    const address = addressOfKey(key);
    const holder = this.#certified.get(address) ?? client;
    if (holder !== client) throw refusal('signer/address-certified-before', `${address} is certified to ${holder}.`);
    this.#certified.set(address, client);
    this.log.append('certified', { client, address });
    return fakeStatement('address-certificate', { client, chain, address, compartment: String(key.compartment) });
  }

  async outlook(intent: Intent, evidence: Evidence): Promise<Outlook> {
    this.#answers();
    const { approvalsNeeded, requestNeeded, approvedBy, refused } = this.#judge(intent, evidence);
    const brief = fakeStatement('brief', { digest: intentDigest(intent), approvalsNeeded: String(approvalsNeeded) });
    const told = { approvalsNeeded, requestNeeded, approvedBy, brief };
    return refused === undefined ? told : { ...told, refusal: refused };
  }

  async lodge(intent: Intent, approval: Approval): Promise<{ readonly person: string }> {
    this.#answers();
    assertSigned(intent, approval);
    if (this.rules.people?.has(approval.person) === false) {
      throw refusal('signer/person-not-entitled', `${approval.person} is not registered.`);
    }
    const name = `${intentDigest(intent)} ${approval.person} ${approval.key}`;
    if (!this.#lodged.has(name)) this.log.append('lodged', { digest: intentDigest(intent), person: approval.person });
    this.#lodged.add(name);
    return { person: approval.person };
  }

  async sign(request: SignRequest): Promise<Granted> {
    this.#answers();
    const intent = parseIntent(intentBytes(request.intent));
    if (!isMovement(intent)) throw refusal('signer/malformed-transaction', `Intent ${intent.id} moves nothing.`);
    const name = digestOf(intentDigest(intent), request.unsigned, addressOfKey(request.key));
    const before = this.#grants.get(name);
    if (before !== undefined) {
      this.signed.push(request);
      return before;
    }
    try {
      return this.#grant({ ...request, intent }, name);
    } catch (error) {
      if (error instanceof CustodyError) {
        this.log.append('refused', { digest: intentDigest(intent), code: error.code });
      }
      throw error;
    }
  }

  async change({ intent, evidence, list }: RegistryChange): Promise<{ version: bigint; record: DecisionRecord }> {
    this.#answers();
    const digest = intentDigest(intent);
    const before = this.#changes.get(digest);
    if (before !== undefined) return before;
    const { approvalsNeeded, approvedBy, refused } = this.#judge(intent, evidence);
    if (refused !== undefined) throw refusal(refused.code, refused.message);
    if (approvedBy.length < approvalsNeeded) {
      throw refusal('signer/approvals-missing', `${intent.id} wants more people.`);
    }
    this.#version += 1n;
    const record = this.log.append('changed', { digest, version: String(this.#version), list });
    const done = { version: this.#version, record };
    this.#changes.set(digest, done);
    return done;
  }

  async records(after: bigint, limit: number): Promise<readonly DecisionRecord[]> {
    this.#answers();
    return this.log.records(after, limit);
  }

  #answers(): void {
    this.asked += 1;
    if (this.down) throw refusal('signer/unavailable', 'Nobody answers at the socket of the signer.');
  }

  #grant(request: SignRequest & { readonly intent: MovementIntent }, name: string): Granted {
    const { intent, evidence, key, unsigned } = request;
    const { approvalsNeeded, requestNeeded, approvedBy, refused } = this.#judge(intent, evidence);
    if (refused !== undefined) throw refusal(refused.code, refused.message);
    if (requestNeeded && evidence.request === undefined) {
      throw refusal('signer/request-missing', `The requester of ${intent.id} has not signed.`);
    }
    if (approvedBy.length < approvalsNeeded) {
      throw refusal(
        'signer/approvals-missing',
        `${intent.id} has ${approvedBy.length} of ${approvalsNeeded} approvals.`,
      );
    }
    assertConforms(request);
    this.#bind(intent, key, unsigned);
    const record = this.log.append('granted', {
      digest: intentDigest(intent),
      id: intent.id,
      intent: Buffer.from(intentBytes(intent)).toString('utf8'),
      unsigned: Buffer.from(unsigned).toString('hex'),
    });
    const granted = { signature: signAs(addressOfKey(key), unsigned), record };
    this.#grants.set(name, granted);
    this.signed.push(request);
    return granted;
  }

  /** One nonce for an intent, one intent for a nonce. A cancellation takes the nonce of what it cancels, or one of nobody's. */
  #bind(intent: MovementIntent, key: KeyRef, unsigned: Uint8Array): void {
    const { chain, nonce } = readAuthorization(unsigned) ?? decodeUnsigned(unsigned);
    const place = `${chain} ${addressOfKey(key)} ${nonce}`;
    const owner = intent.kind === 'cancel' ? intent.cancels : intent.id;
    if ((this.#intentOfNonce.get(place) ?? owner) !== owner) {
      throw refusal('signer/nonce-taken', `Nonce ${nonce} belongs to ${this.#intentOfNonce.get(place) ?? ''}.`);
    }
    if ((this.#nonceOfIntent.get(owner) ?? place) !== place) {
      throw refusal('signer/intent-spent', `${owner} has another nonce.`);
    }
    this.#intentOfNonce.set(place, owner);
    this.#nonceOfIntent.set(owner, place);
  }

  #quorumOf(kind: MovementIntent['kind']): number {
    if (kind === 'cancel') return 0;
    return kind === 'withdrawal' || kind === 'deposit-return' ? this.rules.quorum : this.rules.ownQuorum;
  }

  /** People approve what leaves a vault and what makes it do less; what takes a nonce follows from what they approved. */
  #vaultQuorumOf(kind: VaultIntent['kind']): number {
    if (kind === 'vault-invalidation' || kind === 'signer-set-heartbeat') return 0;
    return kind === 'vault-fee' ? this.rules.ownQuorum : this.rules.quorum;
  }

  #judge(intent: Intent, { request, approvals }: Evidence): Judged {
    const approvalsNeeded = isMovement(intent)
      ? this.#quorumOf(intent.kind)
      : isVaultMatter(intent)
        ? this.#vaultQuorumOf(intent.kind)
        : this.rules.registryQuorum;
    // What moves nothing is decided by people of a role, and nobody in particular asks for it.
    const pays = isMovement(intent) || intent.kind === 'vault-withdrawal' || intent.kind === 'vault-fee';
    const requestNeeded = pays && approvalsNeeded > 0;
    for (const one of request === undefined ? approvals : [request, ...approvals]) assertSigned(intent, one);
    const counted = approvals
      .map(({ person }) => person)
      .filter((person) => person !== request?.person && this.rules.people?.has(person) !== false);
    const approvedBy = [...new Set(counted)].sort();
    const refused = this.rules.refuse?.(intent) ?? this.#standing(intent);
    return { approvalsNeeded, requestNeeded, approvedBy, refused };
  }

  /** What stands against an intent whoever approves it. */
  #standing(intent: Intent): FakeRefusal | undefined {
    if (intent.deployment !== fakeDeployment) {
      return { code: 'signer/wrong-deployment', message: `Intent ${intent.id} is of another installation.` };
    }
    if ('expiresAt' in intent && BigInt(this.#clock.now().getTime()) > intent.expiresAt * 1_000n) {
      return { code: 'signer/intent-expired', message: `Intent ${intent.id} expired at ${intent.expiresAt}.` };
    }
    if ('before' in intent && intent.before !== this.#version) {
      return { code: 'signer/registry-version', message: `The registry has version ${this.#version}.` };
    }
    if (intent.kind === 'gas-grant' && !this.#isOwn(intent.beneficiary, intent.to)) {
      return {
        code: 'signer/unknown-destination',
        message: `${intent.to} is no address of ${intent.beneficiary}.`,
      };
    }
    return undefined;
  }

  #isOwn(compartment: Compartment, address: Address): boolean {
    if (this.#certified.has(address) || this.#labelled.has(address)) return true;
    let derived = this.#derived.get(compartment);
    if (derived === undefined) {
      const indices = Array.from({ length: recipientIndexCount }, (_, index) => addressOfKey({ compartment, index }));
      derived = new Set(indices);
      this.#derived.set(compartment, derived);
    }
    return derived.has(address);
  }
}

type Judged = Pick<Outlook, 'approvalsNeeded' | 'requestNeeded' | 'approvedBy'> & {
  readonly refused: FakeRefusal | undefined;
};

function refusal(code: FaultCode, message: string): CustodyError {
  return new CustodyError(code, message);
}

function assertSigned(intent: Intent, approval: Approval): void {
  const right = fakeApproval(approval.person, intent, approval.key);
  if (approval.kind === right.kind && approval.signature === right.signature) return;
  throw refusal('signer/approval-invalid', `The signature of ${approval.person} is not over ${intent.id} as it is.`);
}

/** The transaction of an intent is a function of the intent, the nonce and the fee: build it again and compare. */
function assertConforms(request: SignRequest): void {
  const { intent, key, unsigned } = request;
  if (intent.kind === 'delegation') return assertDelegates(request);
  const found = decodeUnsigned(unsigned);
  const from = addressOfKey(key);
  const { to, amount } = intent;
  // A cancellation is a payment of nothing in the native coin, whatever asset the intent it cancels was about.
  const asset = intent.kind === 'cancel' ? nativeAsset(chainOf(intent.asset)) : intent.asset;
  const plan = { from, to, asset, amount };
  const { authorizations } = found;
  const called = intent.kind === 'relay' ? { ...plan, data: callOf(found.data), authorizations } : plan;
  const wanted = transactionOf(called, found, { chain: chainOf(asset), nonce: found.nonce });
  const conforms =
    (intent.kind !== 'relay' || intent.callDigest === sha256Of(callOf(found.data))) &&
    intent.compartment === key.compartment &&
    Buffer.from(encodeUnsigned(wanted)).equals(unsigned) &&
    feeMax(found) <= intent.feeMax &&
    found.maxPriorityFeePerGas <= found.maxFeePerGas &&
    (intent.kind !== 'cancel' || (to === from && found.nonce === intent.nonce));
  if (conforms) return;
  throw refusal(
    'signer/malformed-transaction',
    `The transaction is not the one of intent ${intent.id}; nothing was signed.`,
  );
}

/** The delegate of the wallet and no other, or none at all, with the nonce of the intent. */
function assertDelegates({ intent, key, unsigned }: SignRequest): void {
  if (intent.kind !== 'delegation') return;
  const found = readAuthorization(unsigned);
  const delegate = standardAddress(fakeKeccak, sweepDelegateCreationCode(bytesOf(fakeDelegateCode), intent.wallet));
  const isRight =
    found?.chain === chainOf(intent.asset) &&
    found.nonce === intent.nonce &&
    found.delegate === intent.to &&
    (intent.to === nativeToken || intent.to === delegate) &&
    intent.compartment === key.compartment;
  if (isRight) return;
  throw refusal('signer/malformed-transaction', `The authorisation is not the one of intent ${intent.id}.`);
}

function callOf(data: string): Hex {
  return `0x${data.slice(2)}`;
}

function sha256Of(data: Hex): string {
  return createHash('sha256')
    .update(Buffer.from(data.slice(2), 'hex'))
    .digest('hex');
}
