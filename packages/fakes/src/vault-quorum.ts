import {
  type Address,
  CustodyError,
  faultCodes,
  type ForwarderClaim,
  intentDigest,
  membersOf,
  type QuorumGrant,
  type SetChangeGrant,
  type SetChangeRequest,
  type SignedStatement,
  type SignerSetMembers,
  type VaultClaim,
  type VaultGrant,
  type VaultIntent,
  type VaultQuorum,
  type VaultSignRequest,
} from '@bulkhead/domain';
import { configHash, vaultIntentDigest, type VaultTerms } from '@bulkhead/vaults';
import { digestOf } from './key.ts';
import type { FakeSigner } from './signer.ts';
import { fakeStatement } from './signer-log.ts';
import { fakeKeccak, fakeMembers, fakeThreshold, memberSignature } from './vault-program.ts';

/** What a certificate of a vault must say; the port of the server has more names for it. */
export type FakeCertifiedVault = {
  readonly certificate: SignedStatement;
  readonly client: string;
  readonly chain: string;
  readonly address: Address;
  readonly terms: VaultTerms;
};

function identityOf(member: Address): string {
  return digestOf('identity', member);
}

function vaultStatement(vault: Omit<FakeCertifiedVault, 'certificate'>, member: Address): SignedStatement {
  const { client, chain, address, terms } = vault;
  const fields = { client, chain, address, configHash: configHash(fakeKeccak, terms.config) };
  return fakeStatement('vault-certificate', fields, identityOf(member));
}

function forwarderStatement({ client, chain, vault, salt }: ForwarderClaim, member: Address): SignedStatement {
  return fakeStatement('forwarder-certificate', { client, chain, vault, salt }, identityOf(member));
}

/** Refuses a certificate of a forwarder that no fake signer gave, or that says something else. */
export function fakeVerifyForwarder({
  certificate: { statement, identity, signature },
  ...claim
}: ForwarderClaim & { readonly certificate: SignedStatement }): void {
  const right = fakeMembers.map((member) => forwarderStatement(claim, member));
  if (right.some((one) => one.statement === statement && one.identity === identity && one.signature === signature)) {
    return;
  }
  throw new CustodyError(
    'signer/certificate-invalid',
    `The certificate of a forwarder of ${claim.vault} is not right.`,
  );
}

/** Refuses a certificate of a vault that no fake signer gave, or that says something else. */
export function fakeVerifyVault({ certificate, ...vault }: FakeCertifiedVault): void {
  const right = fakeMembers.map((member) => vaultStatement(vault, member));
  const isRight = right.some(
    ({ statement, identity, signature }) =>
      statement === certificate.statement && identity === certificate.identity && signature === certificate.signature,
  );
  if (isRight) return;
  throw new CustodyError('signer/certificate-invalid', `The certificate of vault ${vault.address} is not right.`);
}

/**
 * Three signers, two of whom must agree. What they want of people, and whether anybody answers, follows the rules of the fake signer
 * beside them.
 */
export class FakeQuorum implements VaultQuorum {
  /** Vaults that the registry lists. */
  readonly listed: Map<Address, { readonly client: string; readonly terms: VaultTerms }> = new Map();
  /** Who signs for vaults, as the registry lists it. */
  members: readonly Address[] = fakeMembers;
  /** Members that answer, of whichever set; fewer than two, and nothing is signed. */
  awake: readonly Address[] = fakeMembers;
  /** Everything that was signed, repetitions too. */
  readonly signed: VaultIntent[] = [];
  readonly #signer: FakeSigner;
  /** The intent of each nonce of a vault: for ever. */
  readonly #intentOfNonce: Map<string, string> = new Map();

  constructor(signer: FakeSigner) {
    this.#signer = signer;
  }

  async signVault({ intent, evidence }: VaultSignRequest): Promise<QuorumGrant> {
    this.#answers();
    // People are not asked whether the signers are there.
    if (intent.kind === 'signer-set-heartbeat') return this.#granted(intent);
    const { refusal, approvalsNeeded, approvedBy, requestNeeded } = await this.#signer.outlook(intent, evidence);
    if (refusal !== undefined) {
      const code = faultCodes.find((known) => known === refusal.code) ?? 'signer/unavailable';
      throw new CustodyError(code, refusal.message);
    }
    if (requestNeeded && evidence.request === undefined) {
      throw new CustodyError('signer/request-missing', `The requester of ${intent.id} has not signed.`);
    }
    if (approvedBy.length < approvalsNeeded) {
      throw new CustodyError(
        'signer/approvals-missing',
        `${intent.id} has ${approvedBy.length} of ${approvalsNeeded}.`,
      );
    }
    this.#bind(intent);
    return this.#granted(intent);
  }

  async signSetChange({ intent, evidence, before }: SetChangeRequest): Promise<SetChangeGrant> {
    this.#answers();
    const { approvalsNeeded, approvedBy, refusal } = await this.#signer.outlook(intent, evidence);
    const isLate = refusal?.code === 'signer/intent-expired';
    if (refusal !== undefined && !isLate) throw new CustodyError('signer/unavailable', refusal.message);
    if (approvedBy.length < approvalsNeeded) {
      throw new CustodyError('signer/approvals-missing', `${intent.id} has ${approvedBy.length} approvals.`);
    }
    const side = ({ members, threshold }: SignerSetMembers): readonly VaultGrant[] => {
      const signing = members.filter((member) => this.awake.includes(member)).slice(0, Number(threshold));
      if (BigInt(signing.length) === threshold) return signing.map((member) => this.#grantOf(intent, member));
      throw new CustodyError('signer/not-a-member', `${signing.length} of ${threshold} sign ${intent.id}.`);
    };
    const [quorum, next] = [side(before), side({ members: membersOf(intent), threshold: intent.threshold })];
    // What they signed in time they sign again.
    if (isLate && !this.signed.some(({ id }) => id === intent.id)) {
      throw new CustodyError('signer/intent-expired', refusal.message);
    }
    this.signed.push(intent);
    const digest = vaultIntentDigest(fakeKeccak, intent);
    return {
      quorumSignatures: signaturesOf(quorum, digest),
      memberSignatures: signaturesOf(next, digest),
      grants: [...quorum, ...next],
    };
  }

  #granted(intent: VaultIntent): QuorumGrant {
    const digest = vaultIntentDigest(fakeKeccak, intent);
    const signing = this.members.filter((member) => this.awake.includes(member)).slice(0, Number(fakeThreshold));
    const grants = signing.map((member) => this.#grantOf(intent, member));
    this.signed.push(intent);
    return { signatures: signaturesOf(grants, digest), grants, answers: [] };
  }

  #grantOf(intent: VaultIntent, member: Address): VaultGrant {
    const record = this.#signer.log.append('vault-granted', { digest: intentDigest(intent), member });
    return { signature: { r: 1n, s: 1n, yParity: 0 }, member, record };
  }

  async certifyVault({ client, chain, vault }: VaultClaim): Promise<readonly SignedStatement[]> {
    this.#answers();
    const listed = this.listed.get(vault);
    if (listed?.client !== client) {
      throw new CustodyError('signer/unknown-destination', `The registry lists no vault ${vault} of ${client}.`);
    }
    const facts = { client, chain, address: vault, terms: listed.terms };
    return this.awake.slice(0, Number(fakeThreshold)).map((member) => vaultStatement(facts, member));
  }

  async certifyForwarder({ client, chain, vault, salt }: ForwarderClaim): Promise<readonly SignedStatement[]> {
    this.#answers();
    return this.awake
      .slice(0, Number(fakeThreshold))
      .map((member) => forwarderStatement({ client, chain, vault, salt }, member));
  }

  #answers(): void {
    const silent = this.#signer.down || this.awake.length < Number(fakeThreshold);
    if (silent) {
      throw new CustodyError('signer/unavailable', `${this.awake.length} signers answer, and two must agree.`);
    }
  }

  #bind(intent: VaultIntent): void {
    if (!('vaultNonce' in intent)) return;
    const place = `${intent.vault} ${intent.vaultNonce}`;
    const owner = intent.kind === 'vault-invalidation' ? intent.cancels : intent.id;
    if ((this.#intentOfNonce.get(place) ?? owner) !== owner) {
      throw new CustodyError('signer/nonce-taken', `Nonce ${intent.vaultNonce} belongs to another intent.`);
    }
    this.#intentOfNonce.set(place, owner);
  }
}

function signaturesOf(grants: readonly VaultGrant[], digest: Uint8Array): Uint8Array {
  const signatures = grants.map(({ member }) => memberSignature(member, digest).slice(2)).join('');
  return Uint8Array.from(Buffer.from(signatures, 'hex'));
}
