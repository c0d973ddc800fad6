import { invariant } from '@bulkhead/domain';
import { approvalBy } from '../development/people.ts';
import { type Answer, type ApiUser, type Cast, field, until, words } from './client.ts';

/** Somebody of the story: a token for the API, and approver keys of the own, which no server knows. */
export type Signatory = 'admin' | 'operator' | 'approver-1' | 'approver-2';

/** Who agrees to changes of the registry: of the people of both quorums, those who did not propose it. */
const registryApprovers: readonly Signatory[] = ['approver-1', 'approver-2'];

/**
 * The people of the demonstration with their approver keys. Each reads the text of what is asked for and signs it; the API only
 * carries the signature to the signer, which verifies it against its own registry.
 */
export class Signatories {
  readonly #api: ApiUser;
  readonly #directory: string;
  readonly #cast: Cast;

  constructor(api: ApiUser, peopleDirectory: string, cast: Cast) {
    this.#api = api;
    this.#cast = cast;
    this.#directory = peopleDirectory;
  }

  /** The requester's own signature under a withdrawal. */
  async signRequest(who: Signatory, withdrawal: string): Promise<void> {
    const path = `/v1/withdrawals/${withdrawal}`;
    const answer = await this.#handIn(who, `${path}/signature`, {
      step: `sign-${withdrawal}`,
      canonical: await this.#textOf(who, `${path}/intent`),
    });
    assertDone(answer, `${who} signs ${withdrawal}`);
  }

  async approveWithdrawal(who: Signatory, withdrawal: string): Promise<void> {
    const path = `/v1/withdrawals/${withdrawal}`;
    const answer = await this.#handIn(who, `${path}/approvals`, {
      step: `approve-${who}-${withdrawal}`,
      canonical: await this.#textOf(who, `${path}/intent`),
    });
    assertDone(answer, `${who} approves ${withdrawal}`);
  }

  /** What somebody can do who has a token and an approval that was made for something else. */
  async presentForeign(
    who: Signatory,
    at: { readonly withdrawal: string; readonly approvedFor: string },
  ): Promise<Answer> {
    return this.#handIn(who, `/v1/withdrawals/${at.withdrawal}/approvals`, {
      step: `foreign-${at.withdrawal}`,
      canonical: await this.#textOf(who, `/v1/withdrawals/${at.approvedFor}/intent`),
    });
  }

  /** Proposes a list of changes of the signer's registry and has people agree to it, one signature each. */
  async changeRegistry(
    proposer: Signatory,
    change: { readonly step: string; readonly kind: string; readonly items: readonly object[] },
  ): Promise<string> {
    const { step, kind, items } = change;
    const made = await this.#api.write(this.#tokenOf(proposer), '/v1/registry-changes', {
      step,
      body: { kind, items },
    });
    const id = words(made, 'id');
    const canonical = words(field(made, 'intent'), 'canonical');
    for (const who of registryApprovers) {
      const path = `/v1/registry-changes/${id}/approvals`;
      const answer = await this.#handIn(who, path, { step: `approve-${who}-${id}`, canonical });
      assertDone(answer, `${who} approves ${id}`);
    }
    return until(`the registry change ${id} to be made`, async () => {
      const view = await this.#api.read(this.#tokenOf(proposer), `/v1/registry-changes/${id}`);
      const version = field(view, 'version');
      return typeof version === 'string' ? version : undefined;
    });
  }

  #tokenOf(who: Signatory): string {
    const { admin, operator, approvers } = this.#cast;
    return { admin, operator, 'approver-1': approvers[0], 'approver-2': approvers[1] }[who];
  }

  async #textOf(who: Signatory, path: string): Promise<string> {
    return words(field(await this.#api.read(this.#tokenOf(who), path), 'intent'), 'canonical');
  }

  async #handIn(
    who: Signatory,
    path: string,
    signed: { readonly step: string; readonly canonical: string },
  ): Promise<Answer> {
    const approval = await approvalBy(this.#directory, who, signed.canonical);
    return this.#api.ask(this.#tokenOf(who), path, { step: signed.step, body: { approval } });
  }
}

function assertDone(answer: Answer, what: string): void {
  invariant(answer.status < 300, `${what}: the API answers ${answer.status}: ${JSON.stringify(answer.body)}`);
}
