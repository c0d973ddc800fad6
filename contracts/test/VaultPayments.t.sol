// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {VaultEvents} from "../sources/vault/VaultEvents.sol";
import {Invalidation, OneOff, Payment, Withdrawal, WithdrawalBatch} from "../sources/vault/VaultMessages.sol";
import {VaultPayments} from "../sources/vault/VaultPayments.sol";
import {VaultPolicy} from "../sources/vault/VaultPolicy.sol";
import {VaultState} from "../sources/vault/VaultState.sol";
import {Side} from "../sources/vault/VaultTypes.sol";
import {Typed} from "./Typed.sol";
import {VaultWorld} from "./VaultWorld.sol";

/// @notice What the quorum can pay, and what it cannot.
contract VaultPaymentsTest is VaultWorld {
    Client private ada;
    Client private pool;

    function setUp() external {
        buildWorld();
        ada = openClient("ada", INDIVIDUAL);
        pool = openClient("pool", OMNIBUS);
    }

    function testAnyTwoMembersPayAListedDestination() external {
        for (uint256 first = 0; first < 3; ++first) {
            for (uint256 second = first + 1; second < 3; ++second) {
                Withdrawal memory m = withdrawal(ETH, ada.listed, 1 ether);
                ada.vault.pay(ada.config, m, byMembers(first, second, digestOf(ada, Typed.hash(m))));
            }
        }
        vm.assertEq(ada.listed.balance, 3 ether, "three payments");
        vm.assertEq(address(ada.vault).balance, 97 ether, "left the vault");
    }

    function testPaymentSaysWhatLeftWithOneEvent() external {
        Withdrawal memory m = withdrawal(address(dollar), ada.listed, 7);
        bytes memory signatures = byQuorum(ada, Typed.hash(m));
        vm.expectEmit(address(ada.vault));
        emit VaultEvents.Withdrawn(address(dollar), ada.listed, 7, m.nonce, 1);
        ada.vault.pay(ada.config, m, signatures);
        vm.assertEq(dollar.balanceOf(ada.listed), 7, "dollars");
        vm.assertTrue(ada.vault.nonceUsed(Side.Quorum, m.nonce), "nonce");
    }

    function testAPaymentPaysOnce() external {
        Withdrawal memory m = withdrawal(ETH, ada.listed, 1 ether);
        bytes memory signatures = byQuorum(ada, Typed.hash(m));
        ada.vault.pay(ada.config, m, signatures);
        vm.expectRevert(abi.encodeWithSelector(VaultState.NonceUsed.selector, Side.Quorum, m.nonce));
        ada.vault.pay(ada.config, m, signatures);
    }

    function testNoncesNeedNoOrderAndTakeTheirBitAlone(uint256 nonce) external {
        Withdrawal memory m = Withdrawal(ETH, ada.listed, 1, nonce, soon());
        ada.vault.pay(ada.config, m, byQuorum(ada, Typed.hash(m)));
        vm.assertTrue(ada.vault.nonceUsed(Side.Quorum, nonce), "taken");
        unchecked {
            vm.assertFalse(ada.vault.nonceUsed(Side.Quorum, nonce + 1), "the next one");
            vm.assertFalse(ada.vault.nonceUsed(Side.Quorum, nonce - 1), "the one before");
            vm.assertFalse(ada.vault.nonceUsed(Side.Quorum, nonce ^ 256), "same bit of another word");
            vm.assertFalse(ada.vault.nonceUsed(Side.Quorum, nonce ^ 1 << 248), "no bit of a nonce is lost");
        }
        vm.assertFalse(ada.vault.nonceUsed(Side.ClientKey, nonce), "another side");
        vm.assertFalse(ada.vault.nonceUsed(Side.ExitKey, nonce), "another side");
    }

    function testTheDeadlineIsTheLastSecond() external {
        Withdrawal memory m = withdrawal(ETH, ada.listed, 1);
        m.deadline = uint64(block.timestamp);
        bytes memory signatures = byQuorum(ada, Typed.hash(m));
        pass(1);
        vm.expectRevert(abi.encodeWithSelector(VaultState.Expired.selector, m.deadline, block.timestamp));
        ada.vault.pay(ada.config, m, signatures);
        vm.warp(m.deadline);
        ada.vault.pay(ada.config, m, signatures);
        vm.assertEq(ada.listed.balance, 1, "paid in its last second");
    }

    function testNobodyElsesAddressIsPaid(address to) external {
        vm.assume(to != ada.listed);
        Withdrawal memory m = withdrawal(ETH, to, 1);
        bytes memory signatures = byQuorum(ada, Typed.hash(m));
        vm.expectRevert(abi.encodeWithSelector(VaultPayments.NotADestination.selector, to, 0));
        ada.vault.pay(ada.config, m, signatures);
    }

    function testAPendingDestinationIsPaidFromItsSecondOn() external {
        address next = actor("next");
        addDestination(ada, next);
        uint256 from = block.timestamp + CHANGE;
        vm.warp(from - 1);
        Withdrawal memory m = withdrawal(ETH, next, 1);
        bytes memory signatures = byQuorum(ada, Typed.hash(m));
        vm.expectRevert(abi.encodeWithSelector(VaultPayments.NotADestination.selector, next, from));
        ada.vault.pay(ada.config, m, signatures);
        vm.warp(from);
        ada.vault.pay(ada.config, m, signatures);
        vm.assertEq(next.balance, 1, "paid");
    }

    function testTheCapHoldsForAWindowAndNotLonger() external {
        pay(ada, ETH, ada.listed, 60 ether);
        Withdrawal memory m = withdrawal(ETH, ada.listed, 40 ether + 1);
        m.deadline = type(uint64).max;
        bytes memory signatures = byQuorum(ada, Typed.hash(m));
        vm.deal(address(ada.vault), 1_000 ether);
        bytes memory above =
            abi.encodeWithSelector(VaultPolicy.AboveLimit.selector, 40 ether + 1, 60 ether, CAP);
        vm.expectRevert(above);
        ada.vault.pay(ada.config, m, signatures);
        pay(ada, ETH, ada.listed, 10 ether);
        vm.warp(START + WINDOW - 1);
        vm.expectPartialRevert(VaultPolicy.AboveLimit.selector);
        ada.vault.pay(ada.config, m, signatures);
        vm.warp(START + WINDOW);
        ada.vault.pay(ada.config, m, signatures);
        (uint104 cap, uint104 spent, uint40 since, bool written) = ada.vault.limits(ETH);
        vm.assertEq(cap, CAP, "cap stays");
        vm.assertEq(spent, 40 ether + 1, "a new window");
        vm.assertEq(since, START + WINDOW, "which begins now");
        vm.assertTrue(written, "still written");
    }

    function testExactlyTheCapIsPaid() external {
        pay(ada, ETH, ada.listed, CAP);
        vm.assertEq(ada.listed.balance, CAP, "all of it");
    }

    function testCapsAreOfOneTokenEach() external {
        pay(ada, ETH, ada.listed, CAP);
        pay(ada, address(dollar), ada.listed, CAP);
        vm.assertEq(dollar.balanceOf(ada.listed), CAP, "dollars have a cap of their own");
    }

    function testATokenWithoutLimitDoesNotLeave() external {
        Withdrawal memory m = withdrawal(address(0xbeef), ada.listed, 1);
        bytes memory signatures = byQuorum(ada, Typed.hash(m));
        vm.expectRevert(abi.encodeWithSelector(VaultPolicy.AboveLimit.selector, 1, 0, 0));
        ada.vault.pay(ada.config, m, signatures);
    }

    function testNothingIsNoPayment() external {
        Withdrawal memory m = withdrawal(ETH, ada.listed, 0);
        bytes memory signatures = byQuorum(ada, Typed.hash(m));
        vm.expectRevert(abi.encodeWithSelector(VaultPayments.NothingToPay.selector));
        ada.vault.pay(ada.config, m, signatures);
    }

    function testAFailedPaymentLeavesNonceAndLimit() external {
        Withdrawal memory m = withdrawal(address(dollar), ada.listed, 1 ether);
        bytes memory signatures = byQuorum(ada, Typed.hash(m));
        payOnce(ada, address(dollar), stranger, 100 ether);
        vm.expectRevert();
        ada.vault.pay(ada.config, m, signatures);
        vm.assertFalse(ada.vault.nonceUsed(Side.Quorum, m.nonce), "nonce");
        (, uint104 spent,,) = ada.vault.limits(address(dollar));
        vm.assertEq(spent, 0, "limit");
        dollar.mint(address(ada.vault), 1 ether);
        ada.vault.pay(ada.config, m, signatures);
    }

    function testABatchPaysAllOrNothing() external {
        WithdrawalBatch memory m = batchOf(3);
        bytes memory signatures = byQuorum(ada, Typed.hash(m));
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectEmit(address(ada.vault));
            emit VaultEvents.Withdrawn(m.payments[i].token, ada.listed, m.payments[i].amount, m.nonce, 1);
        }
        ada.vault.payBatch(ada.config, m, signatures);
        vm.assertEq(ada.listed.balance, 2, "first and third");
        vm.assertEq(dollar.balanceOf(ada.listed), 1, "second");
        vm.expectRevert(abi.encodeWithSelector(VaultState.NonceUsed.selector, Side.Quorum, m.nonce));
        ada.vault.payBatch(ada.config, m, signatures);
        m = batchOf(3);
        m.payments[2].to = stranger;
        signatures = byQuorum(ada, Typed.hash(m));
        vm.expectRevert(abi.encodeWithSelector(VaultPayments.NotADestination.selector, stranger, 0));
        ada.vault.payBatch(ada.config, m, signatures);
        vm.assertEq(ada.listed.balance, 2, "nothing of the second batch");
        vm.assertFalse(ada.vault.nonceUsed(Side.Quorum, m.nonce), "nor its nonce");
    }

    function testABatchCountsEveryPaymentIntoTheCap(uint256 first, uint256 second) external {
        first = clamp(first, 1, CAP);
        second = clamp(second, 1, CAP);
        vm.deal(address(ada.vault), 2 * uint256(CAP));
        Payment[] memory payments = new Payment[](2);
        payments[0] = payment(ETH, ada.listed, first);
        payments[1] = payment(ETH, ada.listed, second);
        WithdrawalBatch memory m = WithdrawalBatch(payments, nextNonce(), soon());
        bytes memory signatures = byQuorum(ada, Typed.hash(m));
        if (first + second > CAP) {
            vm.expectRevert(abi.encodeWithSelector(VaultPolicy.AboveLimit.selector, first + second, 0, CAP));
        }
        ada.vault.payBatch(ada.config, m, signatures);
        (, uint104 spent,,) = ada.vault.limits(ETH);
        vm.assertEq(spent, first + second > CAP ? 0 : first + second, "spent");
    }

    function testTokensThatAlternateInABatchAreCountedToo() external {
        vm.deal(address(ada.vault), 2 * uint256(CAP));
        Payment[] memory payments = new Payment[](3);
        payments[0] = payment(ETH, ada.listed, CAP);
        payments[1] = payment(address(dollar), ada.listed, 1);
        payments[2] = payment(ETH, ada.listed, 1);
        WithdrawalBatch memory m = WithdrawalBatch(payments, nextNonce(), soon());
        bytes memory signatures = byQuorum(ada, Typed.hash(m));
        vm.expectRevert(abi.encodeWithSelector(VaultPolicy.AboveLimit.selector, 1, CAP, CAP));
        ada.vault.payBatch(ada.config, m, signatures);
    }

    function testABatchThatOverflowsPaysNothing() external {
        Payment[] memory payments = new Payment[](2);
        payments[0] = payment(ETH, ada.listed, 2);
        payments[1] = payment(ETH, ada.listed, type(uint256).max);
        WithdrawalBatch memory m = WithdrawalBatch(payments, nextNonce(), soon());
        bytes memory signatures = byQuorum(ada, Typed.hash(m));
        vm.expectRevert(abi.encodeWithSignature("Panic(uint256)", 0x11));
        ada.vault.payBatch(ada.config, m, signatures);
    }

    function testAnEmptyBatchIsRefused() external {
        WithdrawalBatch memory m = WithdrawalBatch(new Payment[](0), nextNonce(), soon());
        bytes memory signatures = byQuorum(ada, Typed.hash(m));
        vm.expectRevert(abi.encodeWithSelector(VaultPayments.NothingToPay.selector));
        ada.vault.payBatch(ada.config, m, signatures);
    }

    function testAOneOffGoesAnywhereWithBothAndWithoutCap(uint160 number, uint256 amount) external {
        // Above the precompiles, and nobody whose balance the tests of the machine itself use.
        address to = address(uint160(clamp(number, 1 << 100, type(uint160).max)));
        vm.assume(to.code.length == 0 && to.balance == 0);
        amount = clamp(amount, 1, 1_000 ether);
        vm.deal(address(ada.vault), amount);
        OneOff memory m = oneOff(ETH, to, amount);
        bytes memory signatures = byQuorum(ada, Typed.hash(m));
        bytes memory clients = byClient(ada, Typed.hash(m));
        vm.expectEmit(address(ada.vault));
        emit VaultEvents.Withdrawn(ETH, to, amount, m.nonce, 3);
        ada.vault.payOnce(ada.config, m, signatures, clients);
        vm.assertEq(to.balance, amount, "paid");
        (, uint104 spent,,) = ada.vault.limits(ETH);
        vm.assertEq(spent, 0, "no cap is touched");
        vm.expectRevert(abi.encodeWithSelector(VaultState.NonceUsed.selector, Side.Quorum, m.nonce));
        ada.vault.payOnce(ada.config, m, signatures, clients);
    }

    function testAOneOffNeedsBoth() external {
        OneOff memory m = oneOff(ETH, stranger, 1);
        bytes32 digest = digestOf(ada, Typed.hash(m));
        bytes memory signatures = byQuorum(ada, Typed.hash(m));
        bytes memory clients = byClient(ada, Typed.hash(m));
        bytes memory exits = byExit(ada, Typed.hash(m));
        vm.expectRevert(abi.encodeWithSelector(VaultState.WrongKey.selector, Side.ClientKey, digest));
        ada.vault.payOnce(ada.config, m, signatures, exits);
        vm.expectRevert(abi.encodeWithSelector(VaultState.WrongKey.selector, Side.ClientKey, digest));
        ada.vault.payOnce(ada.config, m, signatures, signatures);
        vm.expectRevert(abi.encodeWithSelector(VaultState.WrongKey.selector, Side.ClientKey, digest));
        ada.vault.payOnce(ada.config, m, signatures, "");
        vm.expectRevert(abi.encodeWithSelector(VaultState.NoQuorum.selector, digest));
        ada.vault.payOnce(ada.config, m, clients, clients);
        ada.vault.payOnce(ada.config, m, signatures, clients);
    }

    function testAOneOffPaysASiblingVault() external {
        payOnce(ada, ETH, address(pool.vault), 1 ether);
        vm.assertEq(address(pool.vault).balance, 101 ether, "moved by the client's wish");
    }

    function testAOneOffNeverPaysItselfOrNobody() external {
        address[2] memory forbidden = [address(ada.vault), address(0)];
        for (uint256 i = 0; i < 2; ++i) {
            OneOff memory m = oneOff(address(dollar), forbidden[i], 1);
            bytes memory signatures = byQuorum(ada, Typed.hash(m));
            bytes memory clients = byClient(ada, Typed.hash(m));
            vm.expectRevert(abi.encodeWithSelector(VaultPayments.ForbiddenDestination.selector, forbidden[i]));
            ada.vault.payOnce(ada.config, m, signatures, clients);
        }
    }

    function testAWithdrawalAndAOneOffAreNotTheSameWords() external {
        Withdrawal memory m = withdrawal(ETH, stranger, 1);
        OneOff memory same = OneOff(ETH, stranger, 1, m.nonce, m.deadline);
        bytes memory signatures = byQuorum(ada, Typed.hash(m));
        bytes memory clients = byClient(ada, Typed.hash(same));
        vm.expectPartialRevert(VaultState.NoQuorum.selector);
        ada.vault.payOnce(ada.config, same, signatures, clients);
    }

    function testAnInvalidatedNonceHasNoEffect() external {
        Withdrawal memory m = withdrawal(ETH, ada.listed, 1 ether);
        bytes memory signatures = byQuorum(ada, Typed.hash(m));
        Invalidation memory i = Invalidation(m.nonce, soon());
        bytes memory ofInvalidation = byQuorum(ada, Typed.hash(i));
        vm.expectEmit(address(ada.vault));
        emit VaultEvents.NonceInvalidated(m.nonce);
        ada.vault.invalidate(ada.config, i, ofInvalidation);
        vm.expectRevert(abi.encodeWithSelector(VaultState.NonceUsed.selector, Side.Quorum, m.nonce));
        ada.vault.pay(ada.config, m, signatures);
    }

    function testInvalidationNeedsTheQuorumAndWorksWhilePaused() external {
        Invalidation memory m = Invalidation(nextNonce(), soon());
        bytes memory clients = byClient(ada, Typed.hash(m));
        vm.expectPartialRevert(VaultState.NoQuorum.selector);
        ada.vault.invalidate(ada.config, m, clients);
        pause(ada, Side.ClientKey);
        invalidate(ada, m.nonce);
        vm.assertTrue(ada.vault.nonceUsed(Side.Quorum, m.nonce), "taken");
    }

    function testAnOmnibusPaysUnlistedAddressesWithinTheirCap() external {
        Withdrawal memory m = withdrawal(ETH, stranger, UNLISTED_CAP);
        bytes memory signatures = byQuorum(pool, Typed.hash(m));
        vm.expectEmit(address(pool.vault));
        emit VaultEvents.Withdrawn(ETH, stranger, UNLISTED_CAP, m.nonce, 2);
        pool.vault.pay(pool.config, m, signatures);
        m = withdrawal(ETH, stranger, 1);
        signatures = byQuorum(pool, Typed.hash(m));
        vm.expectRevert(abi.encodeWithSelector(VaultPolicy.AboveLimit.selector, 1, UNLISTED_CAP, UNLISTED_CAP));
        pool.vault.pay(pool.config, m, signatures);
        pay(pool, ETH, pool.listed, CAP - UNLISTED_CAP);
        (, uint104 spent,,) = pool.vault.limits(ETH);
        vm.assertEq(spent, CAP, "unlisted payments count into the cap of the token as well");
        (, spent,,) = pool.vault.unlistedLimits(ETH);
        vm.assertEq(spent, UNLISTED_CAP, "listed ones not into that of unlisted ones");
        pass(WINDOW);
        pay(pool, address(dollar), stranger, 1);
    }

    function testAnOmnibusDoesNotPayWhatWasRemoved() external {
        removeDestination(pool, Side.ClientKey, stranger);
        Withdrawal memory m = withdrawal(ETH, stranger, 1);
        bytes memory signatures = byQuorum(pool, Typed.hash(m));
        vm.expectRevert(
            abi.encodeWithSelector(VaultPayments.NotADestination.selector, stranger, type(uint64).max)
        );
        pool.vault.pay(pool.config, m, signatures);
    }

    function testAnOmnibusDoesNotPayVaultsOrForwardersByItself() external {
        address forwarder = factory.createForwarder(address(ada.vault), "x");
        address[2] memory forbidden = [address(ada.vault), forwarder];
        for (uint256 i = 0; i < 2; ++i) {
            Withdrawal memory m = withdrawal(ETH, forbidden[i], 1);
            bytes memory signatures = byQuorum(pool, Typed.hash(m));
            vm.expectRevert(abi.encodeWithSelector(VaultPayments.ForbiddenDestination.selector, forbidden[i]));
            pool.vault.pay(pool.config, m, signatures);
        }
    }

    /// @dev Three payments of one wei: ETH, dollars, ETH.
    function batchOf(uint256 count) private returns (WithdrawalBatch memory m) {
        m.payments = new Payment[](count);
        for (uint256 i = 0; i < count; ++i) {
            m.payments[i] = payment(i % 2 == 0 ? ETH : address(dollar), ada.listed, 1);
        }
        m.nonce = nextNonce();
        m.deadline = soon();
    }
}
