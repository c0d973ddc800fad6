// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {VaultEvents} from "../sources/vault/VaultEvents.sol";
import {Fee} from "../sources/vault/VaultMessages.sol";
import {VaultPayments} from "../sources/vault/VaultPayments.sol";
import {VaultState} from "../sources/vault/VaultState.sol";
import {Typed} from "./Typed.sol";
import {VaultWorld} from "./VaultWorld.sol";

/// @notice The fee: to the fixed receiver, at most the agreed rate of the time that passed.
contract VaultFeesTest is VaultWorld {
    Client private ada;

    function setUp() external {
        buildWorld();
        ada = openClient("ada", INDIVIDUAL);
    }

    function testTheFirstCollectionOnlyStartsTheClock() external {
        refused(ETH, 1, 0);
        Fee memory m = Fee(ETH, 0, nextNonce(), soon());
        bytes memory signatures = byQuorum(ada, Typed.hash(m));
        vm.expectEmit(address(ada.vault));
        emit VaultEvents.FeeCollected(ETH, 0, m.nonce, 0, block.timestamp);
        ada.vault.collectFee(ada.config, m, signatures);
        vm.assertEq(ada.vault.feeClocks(ETH), START, "started");
        vm.assertEq(ada.vault.feeClocks(address(dollar)), 0, "of this token alone");
        vm.assertEq(operator.balance, 0, "nothing yet");
    }

    function testTheFeeIsProRata(uint256 elapsed, uint256 balance) external {
        elapsed = clamp(elapsed, 0, 31 days);
        balance = clamp(balance, 0, 1e30);
        collectFee(ada, ETH, 0);
        vm.warp(START + elapsed);
        vm.deal(address(ada.vault), balance);
        uint256 most = balance * FEE_BPS * elapsed / (10_000 * 365 days);
        refused(ETH, most + 1, most);
        Fee memory m = Fee(ETH, most, nextNonce(), soon());
        bytes memory signatures = byQuorum(ada, Typed.hash(m));
        vm.expectEmit(address(ada.vault));
        emit VaultEvents.FeeCollected(ETH, most, m.nonce, START, START + elapsed);
        ada.vault.collectFee(ada.config, m, signatures);
        vm.assertEq(operator.balance, most, "to the fee receiver");
        vm.assertEq(ada.vault.feeClocks(ETH), START + elapsed, "the clock starts anew");
        refused(ETH, 1, 0);
    }

    function testMoreThanAMonthIsNotOwed(uint256 elapsed) external {
        elapsed = clamp(elapsed, 31 days, 1000 days);
        collectFee(ada, address(dollar), 0);
        vm.warp(START + elapsed);
        uint256 most = uint256(100 ether) * FEE_BPS * 31 days / (10_000 * 365 days);
        refused(address(dollar), most + 1, most);
        collectFee(ada, address(dollar), most);
        vm.assertEq(dollar.balanceOf(operator), most, "one month");
    }

    function testAFeeIsCollectedOnceAndByTheQuorum() external {
        collectFee(ada, ETH, 0);
        pass(10 days);
        Fee memory m = Fee(ETH, 1, nextNonce(), soon());
        bytes memory clients = byClient(ada, Typed.hash(m));
        vm.expectPartialRevert(VaultState.NoQuorum.selector);
        ada.vault.collectFee(ada.config, m, clients);
        bytes memory signatures = byQuorum(ada, Typed.hash(m));
        ada.vault.collectFee(ada.config, m, signatures);
        vm.expectPartialRevert(VaultState.NonceUsed.selector);
        ada.vault.collectFee(ada.config, m, signatures);
        vm.assertEq(operator.balance, 1, "once");
    }

    function testFeesNeedNoLimitAndTakeNone() external {
        dollar.mint(address(ada.vault), 1e30);
        collectFee(ada, address(dollar), 0);
        pass(31 days);
        collectFee(ada, address(dollar), 1e26);
        (, uint104 spent,,) = ada.vault.limits(address(dollar));
        vm.assertEq(spent, 0, "no cap is touched");
        vm.assertEq(dollar.balanceOf(operator), 1e26, "more than the cap of payments");
    }

    function refused(address token, uint256 amount, uint256 most) private {
        Fee memory m = Fee(token, amount, nextNonce(), soon());
        bytes memory signatures = byQuorum(ada, Typed.hash(m));
        vm.expectRevert(abi.encodeWithSelector(VaultPayments.FeeAboveMax.selector, amount, most));
        ada.vault.collectFee(ada.config, m, signatures);
    }
}
