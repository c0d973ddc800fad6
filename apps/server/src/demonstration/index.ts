export { ApiUser, type Cast } from './client.ts';
export { keepChain } from './keeper.ts';
export { Outside, stage } from './outside.ts';
export { playStory, type Scene } from './story.ts';
export { resultTable } from './table.ts';
