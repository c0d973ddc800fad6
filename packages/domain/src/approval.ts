/**
 * A signature of a registered person over the digest of an intent. Which key signed is said, not searched for: `key` names it in
 * the registry under `person`.
 * - `webauthn`: an assertion of a passkey (W3C WebAuthn level 3) whose challenge is the 32 bytes of the digest;
 * - `eip712`: a wallet's signature over the typed form of the intent (EIP-712), `r || s || v`;
 * - `ed25519`: a robot's signature over `bulkhead-approval-v1` LF and the digest in hex (RFC 8032).
 * Byte strings are lower-case hex without prefix.
 */
export type Approval = {
  readonly person: string;
  readonly key: string;
} & (
  | {
      readonly kind: 'webauthn';
      readonly authenticatorData: string;
      readonly clientDataJson: string;
      /** ASN.1 DER, as authenticators give it. */
      readonly signature: string;
    }
  | { readonly kind: 'eip712'; readonly signature: string }
  | { readonly kind: 'ed25519'; readonly signature: string }
);

/** Approvals in one piece of evidence, the requester's signature not counted: more people than any rule can ask for. */
export const evidenceApprovalsMax: number = 32;

/** What a signature of a wallet rests on: who asked, and who agreed. Kinds that no person approves have neither. */
export type Evidence = {
  readonly request?: Approval;
  readonly approvals: readonly Approval[];
};
