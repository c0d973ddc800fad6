// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {VaultEvents} from "../sources/vault/VaultEvents.sol";
import {VaultExit} from "../sources/vault/VaultExit.sol";
import {
    ExitCancellation,
    ExitDestinationChange,
    ExitRequest,
    Fee,
    KeyRotation,
    OneOff,
    Pause,
    Payment,
    Veto,
    Withdrawal,
    WithdrawalBatch
} from "../sources/vault/VaultMessages.sol";
import {VaultPolicy} from "../sources/vault/VaultPolicy.sol";
import {VaultState} from "../sources/vault/VaultState.sol";
import {Side} from "../sources/vault/VaultTypes.sol";
import {Typed} from "./Typed.sol";
import {VaultWorld} from "./VaultWorld.sol";

/// @notice The way out, the keys, veto and pause.
contract VaultExitTest is VaultWorld {
    Client private ada;

    function setUp() external {
        buildWorld();
        ada = openClient("ada", INDIVIDUAL);
    }

    function testTheExitKeyAloneGetsEverythingOutAfterTheDelay() external {
        ExitRequest memory m = ExitRequest(nextNonce(), soon());
        bytes memory signature = byExit(ada, Typed.hash(m));
        uint256 readyAt = block.timestamp + EXIT;
        vm.expectEmit(address(ada.vault));
        emit VaultEvents.ExitRequested(readyAt);
        vm.prank(stranger);
        ada.vault.requestExit(ada.config, m, signature);
        vm.warp(readyAt - 1);
        vm.expectRevert(abi.encodeWithSelector(VaultPolicy.ExitNotReady.selector, readyAt, readyAt - 1));
        ada.vault.exit(ada.config, ETH);
        vm.warp(readyAt);
        vm.expectEmit(address(ada.vault));
        emit VaultEvents.Exited(ETH, ada.config.exitDestination, 100 ether);
        vm.prank(stranger);
        ada.vault.exit(ada.config, ETH);
        vm.warp(readyAt + 3650 days);
        ada.vault.exit(ada.config, address(dollar));
        vm.assertEq(ada.config.exitDestination.balance, 100 ether, "all ether");
        vm.assertEq(dollar.balanceOf(ada.config.exitDestination), 100 ether, "all dollars, ten years later");
        vm.expectRevert(abi.encodeWithSelector(VaultExit.NothingToExit.selector, ETH));
        ada.vault.exit(ada.config, ETH);
        vm.deal(address(ada.vault), 1);
        ada.vault.exit(ada.config, ETH);
        vm.assertEq(ada.config.exitDestination.balance, 100 ether + 1, "what came later too");
    }

    function testNobodyElseRequestsAnExit() external {
        ExitRequest memory m = ExitRequest(nextNonce(), soon());
        bytes32 digest = digestOf(ada, Typed.hash(m));
        bytes[2] memory others = [byQuorum(ada, Typed.hash(m)), byClient(ada, Typed.hash(m))];
        for (uint256 i = 0; i < 2; ++i) {
            vm.expectRevert(abi.encodeWithSelector(VaultState.WrongKey.selector, Side.ExitKey, digest));
            ada.vault.requestExit(ada.config, m, others[i]);
        }
    }

    function testWithoutARequestNothingExits() external {
        pass(3650 days);
        vm.expectRevert(abi.encodeWithSelector(VaultPolicy.NoExit.selector));
        ada.vault.exit(ada.config, ETH);
    }

    function testASecondRequestDoesNotMoveTheClock() external {
        requestExit(ada);
        uint256 readyAt = block.timestamp + EXIT;
        pass(1 days);
        ExitRequest memory m = ExitRequest(nextNonce(), soon());
        bytes memory signature = byExit(ada, Typed.hash(m));
        vm.expectRevert(abi.encodeWithSelector(VaultPolicy.ExitPending.selector, readyAt));
        ada.vault.requestExit(ada.config, m, signature);
        (uint40 stored,,) = ada.vault.gate();
        vm.assertEq(stored, readyAt, "as it was");
    }

    function testAfterARequestTheCustodianPaysNothing() external {
        collectFee(ada, ETH, 0);
        requestExit(ada);
        requireStopped(abi.encodeWithSelector(VaultPolicy.ExitPending.selector, block.timestamp + EXIT));
    }

    function testOnlyTheExitKeyCancels() external {
        ExitCancellation memory m = ExitCancellation(nextNonce(), soon());
        bytes memory signature = byExit(ada, Typed.hash(m));
        vm.expectRevert(abi.encodeWithSelector(VaultPolicy.NoExit.selector));
        ada.vault.cancelExit(ada.config, m, signature);
        requestExit(ada);
        bytes32 digest = digestOf(ada, Typed.hash(m));
        bytes[2] memory others = [byQuorum(ada, Typed.hash(m)), byClient(ada, Typed.hash(m))];
        for (uint256 i = 0; i < 2; ++i) {
            vm.expectRevert(abi.encodeWithSelector(VaultState.WrongKey.selector, Side.ExitKey, digest));
            ada.vault.cancelExit(ada.config, m, others[i]);
        }
        vm.expectEmit(address(ada.vault));
        emit VaultEvents.ExitCancelled();
        ada.vault.cancelExit(ada.config, m, signature);
        pay(ada, ETH, ada.listed, 1);
        vm.assertEq(ada.listed.balance, 1, "life goes on");
    }

    function testASilentCustodianOpensTheExitForAnybody() external {
        vm.warp(START + HEARTBEAT);
        vm.expectRevert(
            abi.encodeWithSelector(VaultPolicy.CustodianAlive.selector, START, HEARTBEAT, START + HEARTBEAT)
        );
        ada.vault.openExit(ada.config);
        pass(1);
        vm.expectEmit(address(ada.vault));
        emit VaultEvents.ExitOpened(START);
        vm.prank(stranger);
        ada.vault.openExit(ada.config);
        ada.vault.exit(ada.config, ETH);
        vm.assertEq(ada.config.exitDestination.balance, 100 ether, "out at once");
    }

    function testAHeartbeatKeepsTheExitShut() external {
        pass(HEARTBEAT);
        heartbeat();
        uint256 beat = block.timestamp;
        pass(HEARTBEAT);
        vm.expectRevert(
            abi.encodeWithSelector(VaultPolicy.CustodianAlive.selector, beat, HEARTBEAT, block.timestamp)
        );
        ada.vault.openExit(ada.config);
        pass(1);
        ada.vault.openExit(ada.config);
    }

    function testSilenceBringsARequestedExitForward() external {
        vm.warp(START + HEARTBEAT + 1);
        requestExit(ada);
        ada.vault.openExit(ada.config);
        ada.vault.exit(ada.config, ETH);
        vm.assertEq(ada.config.exitDestination.balance, 100 ether, "out");
        vm.expectRevert(abi.encodeWithSelector(VaultPolicy.ExitPending.selector, block.timestamp));
        ada.vault.openExit(ada.config);
    }

    function testTheExitDestinationChangesByTheClientKeyAfterLongerThanAnExit() external {
        address next = actor("new exit destination");
        ExitDestinationChange memory m = ExitDestinationChange(next, nextNonce(), soon());
        bytes32 change = digestOf(ada, Typed.hash(m));
        bytes[2] memory others = [byQuorum(ada, Typed.hash(m)), byExit(ada, Typed.hash(m))];
        for (uint256 i = 0; i < 2; ++i) {
            vm.expectRevert(abi.encodeWithSelector(VaultState.WrongKey.selector, Side.ClientKey, change));
            ada.vault.queueExitDestination(ada.config, m, others[i]);
        }
        bytes memory signature = byClient(ada, Typed.hash(m));
        uint256 readyAt = block.timestamp + EXIT_CHANGE;
        vm.expectEmit(address(ada.vault));
        emit VaultEvents.ExitDestinationQueued(change, next, readyAt);
        ada.vault.queueExitDestination(ada.config, m, signature);
        passAlmost(change, readyAt);
        ada.vault.executeExitDestination(ada.config, m);
        vm.warp(readyAt);
        vm.expectEmit(address(ada.vault));
        emit VaultEvents.ExitDestinationChanged(next);
        ada.vault.executeExitDestination(ada.config, m);
        (,, address inForce) = ada.vault.roles(ada.config);
        vm.assertEq(inForce, next, "in force");
        requestExit(ada);
        pass(EXIT);
        ada.vault.exit(ada.config, ETH);
        vm.assertEq(next.balance, 100 ether, "the new one");
    }

    function testAQueuedExitDestinationIsOutrunByTheExit() external {
        ExitDestinationChange memory m = queueExitDestination(ada, stranger);
        requestExit(ada);
        pass(EXIT_CHANGE);
        vm.expectPartialRevert(VaultPolicy.ExitPending.selector);
        ada.vault.executeExitDestination(ada.config, m);
        ada.vault.exit(ada.config, ETH);
        vm.assertEq(ada.config.exitDestination.balance, 100 ether, "the old one");
    }

    function testUnfitExitDestinationsAreRefused() external {
        address[2] memory unfit = [address(0), address(ada.vault)];
        for (uint256 i = 0; i < 2; ++i) {
            ExitDestinationChange memory m = ExitDestinationChange(unfit[i], nextNonce(), soon());
            bytes memory signature = byClient(ada, Typed.hash(m));
            vm.expectRevert(abi.encodeWithSelector(VaultExit.UnfitExitDestination.selector, unfit[i]));
            ada.vault.queueExitDestination(ada.config, m, signature);
        }
    }

    function testNothingIsQueuedOrExecutedOnceAnExitWasRequested() external {
        KeyRotation memory queued = queueRotation(ada, Side.Quorum, Side.ExitKey, keyId(7));
        requestExit(ada);
        bytes memory pending =
            abi.encodeWithSelector(VaultPolicy.ExitPending.selector, block.timestamp + EXIT);
        ExitDestinationChange memory d = ExitDestinationChange(stranger, nextNonce(), soon());
        bytes memory signature = byClient(ada, Typed.hash(d));
        vm.expectRevert(pending);
        ada.vault.queueExitDestination(ada.config, d, signature);
        KeyRotation memory r = KeyRotation(Side.Quorum, Side.ExitKey, keyId(8), nextNonce(), soon());
        signature = byQuorum(ada, Typed.hash(r));
        vm.expectRevert(pending);
        ada.vault.queueKeyRotation(ada.config, r, signature);
        pass(RECOVERY);
        vm.expectRevert(pending);
        ada.vault.executeKeyRotation(ada.config, queued);
    }

    function testPauseStopsPaymentsAndEndsByItself() external {
        Side[2] memory sides = [Side.Quorum, Side.ClientKey];
        for (uint256 i = 0; i < 2; ++i) {
            Pause memory m = Pause(sides[i], nextNonce(), soon());
            bytes memory signature = bySide(ada, sides[i], Typed.hash(m));
            uint256 until = block.timestamp + PAUSE;
            vm.expectEmit(address(ada.vault));
            emit VaultEvents.Paused(sides[i], until);
            ada.vault.pause(ada.config, m, signature);
            requirePaused(until);
            vm.warp(until - 1);
            requirePaused(until);
            vm.warp(until);
            pay(ada, ETH, ada.listed, 1);
        }
        vm.assertEq(ada.listed.balance, 2, "after each");
    }

    function testTheSameSidePausesAgainOnlyAfterAsLong() external {
        pause(ada, Side.ClientKey);
        uint256 allowedFrom = block.timestamp + 2 * PAUSE;
        vm.warp(allowedFrom - 1);
        Pause memory m = Pause(Side.ClientKey, nextNonce(), soon());
        bytes memory signature = byClient(ada, Typed.hash(m));
        vm.expectRevert(
            abi.encodeWithSelector(VaultPolicy.PauseTooSoon.selector, allowedFrom, allowedFrom - 1)
        );
        ada.vault.pause(ada.config, m, signature);
        pause(ada, Side.Quorum);
        vm.warp(allowedFrom);
        ada.vault.pause(ada.config, m, signature);
        (, uint40 quorum, uint40 client) = ada.vault.gate();
        vm.assertEq(client, allowedFrom + PAUSE, "the client's");
        vm.assertEq(quorum, allowedFrom - 1 + PAUSE, "the quorum's is another");
    }

    function testTheExitKeyDoesNotPauseAndEachSideOnlyForItself() external {
        Pause memory m = Pause(Side.ExitKey, nextNonce(), soon());
        bytes memory signature = byExit(ada, Typed.hash(m));
        vm.expectRevert(abi.encodeWithSelector(VaultState.WrongSide.selector, Side.ExitKey));
        ada.vault.pause(ada.config, m, signature);
        m.side = Side.ClientKey;
        signature = byQuorum(ada, Typed.hash(m));
        vm.expectPartialRevert(VaultState.WrongKey.selector);
        ada.vault.pause(ada.config, m, signature);
    }

    function testNoPauseHoldsUpAnExit() external {
        requestExit(ada);
        pass(EXIT - 1);
        pause(ada, Side.Quorum);
        pause(ada, Side.ClientKey);
        pass(1);
        ada.vault.exit(ada.config, ETH);
        vm.assertEq(ada.config.exitDestination.balance, 100 ether, "out");
    }

    function requirePaused(uint256 until) private {
        requireStopped(abi.encodeWithSelector(VaultPolicy.PausedUntil.selector, until, block.timestamp));
    }

    /// @dev Every way in which the custodian pays is refused with these words.
    function requireStopped(bytes memory words) private {
        Withdrawal memory w = withdrawal(ETH, ada.listed, 1);
        bytes memory signatures = byQuorum(ada, Typed.hash(w));
        vm.expectRevert(words);
        ada.vault.pay(ada.config, w, signatures);
        OneOff memory o = oneOff(ETH, stranger, 1);
        signatures = byQuorum(ada, Typed.hash(o));
        bytes memory clients = byClient(ada, Typed.hash(o));
        vm.expectRevert(words);
        ada.vault.payOnce(ada.config, o, signatures, clients);
        Fee memory f = Fee(ETH, 0, nextNonce(), soon());
        signatures = byQuorum(ada, Typed.hash(f));
        vm.expectRevert(words);
        ada.vault.collectFee(ada.config, f, signatures);
        WithdrawalBatch memory b = WithdrawalBatch(new Payment[](1), nextNonce(), soon());
        b.payments[0] = payment(ETH, ada.listed, 1);
        signatures = byQuorum(ada, Typed.hash(b));
        vm.expectRevert(words);
        ada.vault.payBatch(ada.config, b, signatures);
    }
}
