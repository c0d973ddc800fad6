/**
 * What the page may do (Content Security Policy, level 3): run its one script, wear its one sheet, show pictures that it made itself.
 * It may connect to nobody. `frame-ancestors` counts in the header alone, and the server adds it.
 */
export const pagePolicy: string = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' blob:",
  "connect-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');
