export { type Demonstration, demonstrate } from './play.ts';
