export { conclude, type Demonstration, demonstrate, type LastAct } from './play.ts';
