export { buildVerifyPage, type VerifyPage, verifyPageName } from './build.ts';
export { serveVerifyPage, type VerifyPageServer } from './serve.ts';
