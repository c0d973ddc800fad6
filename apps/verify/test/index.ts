export { launchChromium } from '@bulkhead/approve/testing';
export { callInPage } from './module-in-page.ts';
