export { type PageTest, runInPage } from './suite-in-page.ts';
