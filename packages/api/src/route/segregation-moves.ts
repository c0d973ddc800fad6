import { page } from '../resource/page.ts';
import { segregationMove, segregationMoveInput, segregationMoveListQuery } from '../resource/segregation-move.ts';
import { clientPath, nothing, segregationMovePath } from './path.ts';
import { read, write } from './route.ts';
import type { Route } from './route.ts';

const tag = 'Clients';

export const segregationMoves: readonly Route[] = [
  read({
    operation: 'listSegregationMoves',
    url: '/v1/segregation-moves',
    tag,
    summary: 'Lists the moves of clients between pools and compartments of their own',
    params: nothing,
    query: segregationMoveListQuery,
    view: page(segregationMove),
    run: (operations) => operations.listSegregationMoves,
  }),
  read({
    operation: 'getSegregationMove',
    url: '/v1/segregation-moves/:segregationMoveId',
    tag,
    summary: 'Shows a move, and its certificate once it is over',
    params: segregationMovePath,
    query: nothing,
    view: segregationMove,
    run: (operations) => operations.getSegregationMove,
  }),
  write({
    operation: 'proposeSegregationMove',
    url: '/v1/clients/:clientId/segregation-moves',
    tag,
    summary: 'Proposes to move a client to the other model; another person confirms',
    success: 201,
    params: clientPath,
    query: nothing,
    body: segregationMoveInput,
    view: segregationMove,
    run: (operations) => operations.proposeSegregationMove,
  }),
  write({
    operation: 'confirmSegregationMove',
    url: '/v1/segregation-moves/:segregationMoveId/confirmation',
    tag,
    summary: 'Confirms a proposed move; its assets move by withdrawals that are approved like others',
    success: 200,
    params: segregationMovePath,
    query: nothing,
    body: nothing,
    view: segregationMove,
    run: (operations) => operations.confirmSegregationMove,
  }),
  write({
    operation: 'withdrawSegregationMove',
    url: '/v1/segregation-moves/:segregationMoveId/withdrawal',
    tag,
    summary: 'Takes a proposed move back',
    success: 200,
    params: segregationMovePath,
    query: nothing,
    body: nothing,
    view: segregationMove,
    run: (operations) => operations.withdrawSegregationMove,
  }),
];
