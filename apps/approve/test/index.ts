export { launchChromium, plugIn } from './browser.ts';
export { register } from './person.ts';
