// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {VaultAgreements} from "../sources/vault/VaultAgreements.sol";
import {VaultEvents} from "../sources/vault/VaultEvents.sol";
import {
    DestinationAddition,
    DestinationRemoval,
    LimitLowering,
    LimitRaise,
    Withdrawal
} from "../sources/vault/VaultMessages.sol";
import {VaultPayments} from "../sources/vault/VaultPayments.sol";
import {VaultPolicy} from "../sources/vault/VaultPolicy.sol";
import {VaultState} from "../sources/vault/VaultState.sol";
import {InitialPolicy, Limit, Side} from "../sources/vault/VaultTypes.sol";
import {Typed} from "./Typed.sol";
import {VaultWorld} from "./VaultWorld.sol";

/// @notice Loosening needs the client key and a delay; tightening works at once, by either side.
contract VaultAgreementsTest is VaultWorld {
    Client private ada;
    Client private pool;
    address private next = actor("next");

    function setUp() external {
        buildWorld();
        ada = openClient("ada", INDIVIDUAL);
        pool = openClient("pool", OMNIBUS);
    }

    function testThePolicyOpensForAnybodyAndSaysSo() external {
        Client memory bob = newClient("bob", OMNIBUS);
        factory.create(bob.config);
        vm.expectEmit(address(bob.vault));
        emit VaultEvents.DestinationAdded(bob.listed, block.timestamp);
        vm.expectEmit(address(bob.vault));
        emit VaultEvents.LimitSet(ETH, CAP, false);
        vm.expectEmit(address(bob.vault));
        emit VaultEvents.LimitSet(address(dollar), CAP, false);
        vm.expectEmit(address(bob.vault));
        emit VaultEvents.LimitSet(ETH, UNLISTED_CAP, true);
        vm.expectEmit(address(bob.vault));
        emit VaultEvents.LimitSet(address(dollar), UNLISTED_CAP, true);
        vm.expectEmit(address(bob.vault));
        emit VaultEvents.PolicyOpened();
        vm.prank(stranger);
        bob.vault.openPolicy(bob.config, abi.decode(bob.policy, (InitialPolicy)));
        vm.assertEq(bob.vault.destinations(bob.listed), block.timestamp, "active at once");
    }

    function testAnotherPolicyIsRefused() external {
        InitialPolicy memory policy = abi.decode(ada.policy, (InitialPolicy));
        policy.limits[0].cap += 1;
        bytes32 hash = keccak256(abi.encode(policy));
        vm.expectRevert(abi.encodeWithSelector(VaultAgreements.WrongPolicy.selector, hash));
        ada.vault.openPolicy(ada.config, policy);
    }

    function testOpeningAgainUndoesNothing() external {
        removeDestination(ada, Side.Quorum, ada.listed);
        lowerLimit(ada, Side.Quorum, ETH, 1, false);
        LimitRaise memory raise = queueLimitRaise(ada, address(dollar), CAP + 1, false);
        pass(CHANGE);
        ada.vault.executeLimitRaise(ada.config, raise);
        openPolicy(ada);
        vm.assertEq(ada.vault.destinations(ada.listed), type(uint64).max, "stays removed");
        (uint104 cap,,,) = ada.vault.limits(ETH);
        vm.assertEq(cap, 1, "stays low");
        (cap,,,) = ada.vault.limits(address(dollar));
        vm.assertEq(cap, CAP + 1, "stays raised");
    }

    function testOpeningLaterDoesNotMoveTheTimeOfADestination() external {
        pass(7);
        openPolicy(ada);
        vm.assertEq(ada.vault.destinations(ada.listed), START, "as it was first written");
    }

    function testWhatWasTightenedBeforeOpeningStays() external {
        Client memory bob = newClient("bob", INDIVIDUAL);
        factory.create(bob.config);
        removeDestination(bob, Side.ClientKey, bob.listed);
        lowerLimit(bob, Side.ClientKey, ETH, 0, false);
        openPolicy(bob);
        vm.assertEq(bob.vault.destinations(bob.listed), type(uint64).max, "removed");
        (uint104 cap,,, bool written) = bob.vault.limits(ETH);
        vm.assertEq(cap, 0, "closed");
        vm.assertTrue(written, "for good");
    }

    function testAnIndividualVaultHasNoCapsOfUnlistedAddresses() external {
        Client memory bob = newClient("bob", INDIVIDUAL);
        bob.policy = abi.encode(policyOf(bob.listed, OMNIBUS));
        bob.config.policyHash = keccak256(bob.policy);
        place(bob);
        factory.create(bob.config);
        InitialPolicy memory policy = abi.decode(bob.policy, (InitialPolicy));
        vm.expectRevert(abi.encodeWithSelector(VaultAgreements.UnlistedForbidden.selector));
        bob.vault.openPolicy(bob.config, policy);
        LimitRaise memory m = LimitRaise(ETH, 1, true, nextNonce(), soon());
        bytes memory signature = byClient(ada, Typed.hash(m));
        vm.expectRevert(abi.encodeWithSelector(VaultAgreements.UnlistedForbidden.selector));
        ada.vault.queueLimitRaise(ada.config, m, signature);
    }

    function testThePolicyLeavesOutWhatCannotBeADestination() external {
        address forwarder = factory.createForwarder(address(ada.vault), "x");
        Client memory bob = newClient("bob", INDIVIDUAL);
        InitialPolicy memory policy;
        policy.destinations = new address[](4);
        policy.destinations[0] = address(ada.vault);
        policy.destinations[1] = forwarder;
        policy.destinations[2] = address(0);
        policy.destinations[3] = next;
        bob.policy = abi.encode(policy);
        bob.config.policyHash = keccak256(bob.policy);
        place(bob);
        factory.create(bob.config);
        openPolicy(bob);
        vm.assertEq(bob.vault.destinations(address(ada.vault)), 0, "a vault");
        vm.assertEq(bob.vault.destinations(forwarder), 0, "a forwarder");
        vm.assertEq(bob.vault.destinations(address(0)), 0, "nobody");
        vm.assertEq(bob.vault.destinations(next), block.timestamp, "a destination");
    }

    function testTheClientKeyAddsADestination() external {
        DestinationAddition memory m = DestinationAddition(next, nextNonce(), soon());
        bytes memory signature = byClient(ada, Typed.hash(m));
        vm.expectEmit(address(ada.vault));
        emit VaultEvents.DestinationAdded(next, block.timestamp + CHANGE);
        ada.vault.addDestination(ada.config, m, signature);
        vm.assertEq(ada.vault.destinations(next), block.timestamp + CHANGE, "from the end of the delay");
        vm.assertTrue(ada.vault.nonceUsed(Side.ClientKey, m.nonce), "the client's nonce");
        vm.assertFalse(ada.vault.nonceUsed(Side.Quorum, m.nonce), "not the quorum's");
        vm.expectRevert(abi.encodeWithSelector(VaultState.NonceUsed.selector, Side.ClientKey, m.nonce));
        ada.vault.addDestination(ada.config, m, signature);
    }

    function testNobodyElseAddsADestination() external {
        DestinationAddition memory m = DestinationAddition(next, nextNonce(), soon());
        bytes32 digest = digestOf(ada, Typed.hash(m));
        bytes[3] memory others = [byQuorum(ada, Typed.hash(m)), byExit(ada, Typed.hash(m)), bytes("")];
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectRevert(abi.encodeWithSelector(VaultState.WrongKey.selector, Side.ClientKey, digest));
            ada.vault.addDestination(ada.config, m, others[i]);
        }
    }

    function testAListedDestinationIsNotAddedAgain() external {
        DestinationAddition memory m = DestinationAddition(ada.listed, nextNonce(), soon());
        bytes memory signature = byClient(ada, Typed.hash(m));
        vm.expectRevert(abi.encodeWithSelector(VaultAgreements.AlreadyListed.selector, ada.listed, START));
        ada.vault.addDestination(ada.config, m, signature);
    }

    function testARemovedDestinationIsAddedWithTheDelay() external {
        removeDestination(ada, Side.ClientKey, ada.listed);
        addDestination(ada, ada.listed);
        vm.assertEq(ada.vault.destinations(ada.listed), block.timestamp + CHANGE, "waits like a new one");
    }

    function testVaultsAreNoDestinations() external {
        address forwarder = factory.createForwarder(address(ada.vault), "x");
        address[4] memory unfit = [address(0), address(ada.vault), address(pool.vault), forwarder];
        for (uint256 i = 0; i < 4; ++i) {
            DestinationAddition memory m = DestinationAddition(unfit[i], nextNonce(), soon());
            bytes memory signature = byClient(ada, Typed.hash(m));
            vm.expectRevert(abi.encodeWithSelector(VaultAgreements.UnfitDestination.selector, unfit[i]));
            ada.vault.addDestination(ada.config, m, signature);
        }
    }

    function testEitherSideRemovesADestinationAtOnce() external {
        Side[2] memory sides = [Side.Quorum, Side.ClientKey];
        for (uint256 i = 0; i < 2; ++i) {
            Client memory bob = openClient(i == 0 ? "bob" : "bill", INDIVIDUAL);
            DestinationRemoval memory m = DestinationRemoval(sides[i], bob.listed, nextNonce(), soon());
            bytes memory signature = bySide(bob, sides[i], Typed.hash(m));
            vm.expectEmit(address(bob.vault));
            emit VaultEvents.DestinationRemoved(bob.listed, sides[i]);
            bob.vault.removeDestination(bob.config, m, signature);
            Withdrawal memory w = withdrawal(ETH, bob.listed, 1);
            bytes memory signatures = byQuorum(bob, Typed.hash(w));
            vm.expectRevert(
                abi.encodeWithSelector(
                    VaultPayments.NotADestination.selector, bob.listed, type(uint64).max
                )
            );
            bob.vault.pay(bob.config, w, signatures);
        }
    }

    function testTheExitKeyRemovesOnlyWhatIsPending() external {
        addDestination(ada, next);
        uint256 snapshot = vm.snapshotState();
        removeDestination(ada, Side.ExitKey, next);
        vm.assertEq(ada.vault.destinations(next), type(uint64).max, "removed while pending");
        DestinationRemoval memory m = DestinationRemoval(Side.ExitKey, next, nextNonce(), soon());
        bytes memory signature = byExit(ada, Typed.hash(m));
        vm.expectRevert(
            abi.encodeWithSelector(VaultAgreements.NotPending.selector, next, type(uint64).max)
        );
        ada.vault.removeDestination(ada.config, m, signature);
        vm.revertToState(snapshot);
        pass(CHANGE);
        m.deadline = soon();
        signature = byExit(ada, Typed.hash(m));
        vm.expectRevert(
            abi.encodeWithSelector(VaultAgreements.NotPending.selector, next, block.timestamp)
        );
        ada.vault.removeDestination(ada.config, m, signature);
    }

    function testASideSignsOnlyForItself() external {
        DestinationRemoval memory m = DestinationRemoval(Side.Quorum, ada.listed, nextNonce(), soon());
        bytes32 digest = digestOf(ada, Typed.hash(m));
        bytes memory clients = byClient(ada, Typed.hash(m));
        vm.expectRevert(abi.encodeWithSelector(VaultState.NoQuorum.selector, digest));
        ada.vault.removeDestination(ada.config, m, clients);
    }

    function testALimitIsRaisedByTheClientKeyAfterTheDelay() external {
        LimitRaise memory m = LimitRaise(ETH, CAP + 1, false, nextNonce(), soon());
        bytes32 change = digestOf(ada, Typed.hash(m));
        bytes memory signature = byClient(ada, Typed.hash(m));
        uint256 readyAt = block.timestamp + CHANGE;
        vm.expectEmit(address(ada.vault));
        emit VaultEvents.LimitQueued(change, ETH, CAP + 1, false, readyAt);
        ada.vault.queueLimitRaise(ada.config, m, signature);
        vm.assertEq(ada.vault.queued(change), readyAt, "fixed now");
        passAlmost(change, readyAt);
        ada.vault.executeLimitRaise(ada.config, m);
        vm.warp(readyAt);
        vm.expectEmit(address(ada.vault));
        emit VaultEvents.LimitSet(ETH, CAP + 1, false);
        vm.prank(stranger);
        ada.vault.executeLimitRaise(ada.config, m);
        (uint104 cap,,,) = ada.vault.limits(ETH);
        vm.assertEq(cap, CAP + 1, "raised");
        vm.expectRevert(abi.encodeWithSelector(VaultPolicy.NotQueued.selector, change));
        ada.vault.executeLimitRaise(ada.config, m);
    }

    function testNobodyElseRaisesALimit() external {
        LimitRaise memory m = LimitRaise(ETH, CAP + 1, false, nextNonce(), soon());
        bytes32 digest = digestOf(ada, Typed.hash(m));
        bytes[2] memory others = [byQuorum(ada, Typed.hash(m)), byExit(ada, Typed.hash(m))];
        for (uint256 i = 0; i < 2; ++i) {
            vm.expectRevert(abi.encodeWithSelector(VaultState.WrongKey.selector, Side.ClientKey, digest));
            ada.vault.queueLimitRaise(ada.config, m, others[i]);
        }
        vm.expectRevert(abi.encodeWithSelector(VaultPolicy.NotQueued.selector, digest));
        ada.vault.executeLimitRaise(ada.config, m);
    }

    function testARaiseRaises() external {
        LimitRaise memory m = queueLimitRaise(ada, ETH, CAP, false);
        pass(CHANGE);
        vm.expectRevert(abi.encodeWithSelector(VaultAgreements.WrongCap.selector, CAP, CAP));
        ada.vault.executeLimitRaise(ada.config, m);
    }

    function testARaiseOfATokenThatHadNoLimit() external {
        LimitRaise memory m = queueLimitRaise(ada, address(0xbeef), 5, false);
        pass(CHANGE);
        ada.vault.executeLimitRaise(ada.config, m);
        (uint104 cap,,, bool written) = ada.vault.limits(address(0xbeef));
        vm.assertEq(cap, 5, "the first limit");
        vm.assertTrue(written, "written");
    }

    function testAnOmnibusRaisesTheCapOfUnlistedAddresses() external {
        LimitRaise memory m = queueLimitRaise(pool, ETH, UNLISTED_CAP + 1, true);
        pass(CHANGE);
        pool.vault.executeLimitRaise(pool.config, m);
        (uint104 cap,,,) = pool.vault.unlistedLimits(ETH);
        vm.assertEq(cap, UNLISTED_CAP + 1, "of unlisted ones");
        (cap,,,) = pool.vault.limits(ETH);
        vm.assertEq(cap, CAP, "not of all");
        pay(pool, ETH, stranger, UNLISTED_CAP + 1);
    }

    function testARaiseInTheMiddleOfAWindowForgetsNothing() external {
        LimitRaise memory m = queueLimitRaise(ada, ETH, CAP + 5, false);
        pass(CHANGE);
        pay(ada, ETH, ada.listed, CAP);
        ada.vault.executeLimitRaise(ada.config, m);
        vm.deal(address(ada.vault), 100 ether);
        Withdrawal memory w = withdrawal(ETH, ada.listed, 6);
        bytes memory signatures = byQuorum(ada, Typed.hash(w));
        vm.expectRevert(abi.encodeWithSelector(VaultPolicy.AboveLimit.selector, 6, CAP, CAP + 5));
        ada.vault.pay(ada.config, w, signatures);
        pay(ada, ETH, ada.listed, 5);
    }

    function testEitherSideLowersALimitAtOnce() external {
        LimitLowering memory m = LimitLowering(Side.Quorum, ETH, 2 ether, false, nextNonce(), soon());
        bytes memory signature = byQuorum(ada, Typed.hash(m));
        vm.expectEmit(address(ada.vault));
        emit VaultEvents.LimitSet(ETH, 2 ether, false);
        ada.vault.lowerLimit(ada.config, m, signature);
        vm.assertEq(ada.vault.loweredAt(ETH, false), block.timestamp, "noted");
        vm.assertEq(ada.vault.loweredAt(ETH, true), 0, "of this limit alone");
        lowerLimit(ada, Side.ClientKey, ETH, 1 ether, false);
        Withdrawal memory w = withdrawal(ETH, ada.listed, 1 ether + 1);
        bytes memory signatures = byQuorum(ada, Typed.hash(w));
        vm.expectRevert(abi.encodeWithSelector(VaultPolicy.AboveLimit.selector, 1 ether + 1, 0, 1 ether));
        ada.vault.pay(ada.config, w, signatures);
        lowerLimit(pool, Side.ClientKey, ETH, 1, true);
        (uint104 cap,,,) = pool.vault.unlistedLimits(ETH);
        vm.assertEq(cap, 1, "of unlisted ones too");
    }

    function testALoweringLowers() external {
        LimitLowering memory m = LimitLowering(Side.ClientKey, ETH, CAP, false, nextNonce(), soon());
        bytes memory signature = byClient(ada, Typed.hash(m));
        vm.expectRevert(abi.encodeWithSelector(VaultAgreements.WrongCap.selector, CAP, CAP));
        ada.vault.lowerLimit(ada.config, m, signature);
        m = LimitLowering(Side.Quorum, address(0xbeef), 1, false, nextNonce(), soon());
        signature = byQuorum(ada, Typed.hash(m));
        vm.expectRevert(abi.encodeWithSelector(VaultAgreements.WrongCap.selector, 1, 0));
        ada.vault.lowerLimit(ada.config, m, signature);
    }

    function testTheExitKeyLowersNothing() external {
        LimitLowering memory m = LimitLowering(Side.ExitKey, ETH, 1, false, nextNonce(), soon());
        bytes memory signature = byExit(ada, Typed.hash(m));
        vm.expectRevert(abi.encodeWithSelector(VaultState.WrongSide.selector, Side.ExitKey));
        ada.vault.lowerLimit(ada.config, m, signature);
    }

    function testACapBelowWhatWasSpentLeavesNothing() external {
        pay(ada, ETH, ada.listed, 50 ether);
        lowerLimit(ada, Side.ClientKey, ETH, 20 ether, false);
        Withdrawal memory w = withdrawal(ETH, ada.listed, 1);
        bytes memory signatures = byQuorum(ada, Typed.hash(w));
        vm.expectRevert(abi.encodeWithSelector(VaultPolicy.AboveLimit.selector, 1, 50 ether, 20 ether));
        ada.vault.pay(ada.config, w, signatures);
        pass(WINDOW);
        pay(ada, ETH, ada.listed, 20 ether);
    }

    function testALoweringVoidsTheRaisesBeforeIt() external {
        LimitRaise memory before = queueLimitRaise(ada, ETH, CAP + 1, false);
        LimitRaise memory ofUnlisted = queueLimitRaise(pool, ETH, UNLISTED_CAP + 1, true);
        lowerLimit(ada, Side.Quorum, ETH, 1, false);
        lowerLimit(pool, Side.Quorum, ETH, 1, false);
        pass(1);
        LimitRaise memory later = queueLimitRaise(ada, ETH, 2, false);
        pass(CHANGE);
        bytes32 change = digestOf(ada, Typed.hash(before));
        vm.expectRevert(abi.encodeWithSelector(VaultPolicy.Overtaken.selector, change, START));
        ada.vault.executeLimitRaise(ada.config, before);
        ada.vault.executeLimitRaise(ada.config, later);
        (uint104 cap,,,) = ada.vault.limits(ETH);
        vm.assertEq(cap, 2, "the later one");
        pool.vault.executeLimitRaise(pool.config, ofUnlisted);
        (cap,,,) = pool.vault.unlistedLimits(ETH);
        vm.assertEq(cap, UNLISTED_CAP + 1, "of another limit");
    }

    function testNothingLoosensOnceAnExitWasRequested() external {
        LimitRaise memory raise = queueLimitRaise(ada, ETH, CAP + 1, false);
        pass(CHANGE);
        requestExit(ada);
        bytes memory pending =
            abi.encodeWithSelector(VaultPolicy.ExitPending.selector, block.timestamp + EXIT);
        vm.expectRevert(pending);
        ada.vault.executeLimitRaise(ada.config, raise);
        DestinationAddition memory addition = DestinationAddition(next, nextNonce(), soon());
        bytes memory signature = byClient(ada, Typed.hash(addition));
        vm.expectRevert(pending);
        ada.vault.addDestination(ada.config, addition, signature);
        raise = LimitRaise(ETH, CAP + 1, false, nextNonce(), soon());
        signature = byClient(ada, Typed.hash(raise));
        vm.expectRevert(pending);
        ada.vault.queueLimitRaise(ada.config, raise, signature);
        InitialPolicy memory policy = abi.decode(ada.policy, (InitialPolicy));
        vm.expectRevert(pending);
        ada.vault.openPolicy(ada.config, policy);
    }

    function testTighteningWorksWhileAnExitIsPending() external {
        requestExit(ada);
        removeDestination(ada, Side.ClientKey, ada.listed);
        lowerLimit(ada, Side.ClientKey, ETH, 0, false);
        vm.assertEq(ada.vault.destinations(ada.listed), type(uint64).max, "removed");
    }

    function testTheLastSecondThatFitsIsATimeAndTheNextIsNot() external {
        vm.warp(type(uint40).max - CHANGE);
        addDestination(ada, next);
        vm.assertEq(ada.vault.destinations(next), type(uint40).max, "the last one");
        pass(1);
        DestinationAddition memory m = DestinationAddition(stranger, nextNonce(), soon());
        bytes memory signature = byClient(ada, Typed.hash(m));
        vm.expectRevert(abi.encodeWithSelector(VaultPolicy.BeyondTime.selector, uint256(type(uint40).max) + 1));
        ada.vault.addDestination(ada.config, m, signature);
    }
}
