/**
 * What the page may do (Content Security Policy, level 3): run its one script, and that script again as a worker; wear its one sheet;
 * compile the arithmetic of range proofs, which that script assembles; ask nodes. Which nodes, people say once the page is open, and no
 * policy that is part of the file can know it: so any that is protected on its way, and any on this machine.
 */
export function pagePolicy(hashes: { readonly script: string; readonly sheet: string }): string {
  return [
    "default-src 'none'",
    `script-src '${hashes.script}' 'wasm-unsafe-eval'`,
    `style-src '${hashes.sheet}'`,
    'worker-src blob:',
    'connect-src https: http://localhost:* http://127.0.0.1:*',
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
    'trusted-types bulkhead-verify',
  ].join('; ');
}
