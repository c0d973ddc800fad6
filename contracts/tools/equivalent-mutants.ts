/** Mutants that no test can notice, because the code does the same with and without them; each with the reason. */
export const equivalentMutants: readonly { readonly path: string; readonly faulty: string; readonly why: string }[] = [
  {
    path: 'vault/ClientKey.sol',
    faulty: 'if (signature.length <= PASSKEY_SIGNATURE_MIN) return false;',
    why: 'eight values of which two are of any length never take so few bytes',
  },
  {
    path: 'vault/VaultPolicy.sol',
    faulty: 'require(before < cap && amount <= cap - before, AboveLimit(amount, before, cap));',
    why: 'with the cap used up only an amount of zero differs, and a payment of nothing is refused anyway',
  },
];
