// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SilentToken} from "../sources/OddTokens.sol";
import {VaultEvents} from "../sources/vault/VaultEvents.sol";
import {LimitRaise, Payment, Withdrawal, WithdrawalBatch} from "../sources/vault/VaultMessages.sol";
import {VaultState} from "../sources/vault/VaultState.sol";
import {InitialPolicy, Side, VaultConfig} from "../sources/vault/VaultTypes.sol";
import {SafeTransferLib} from "solady/src/utils/SafeTransferLib.sol";
import {
    BabblingAsset,
    BlockingAsset,
    CallingAsset,
    FloodingAsset,
    LyingAsset,
    OddAsset,
    Payee,
    TollAsset
} from "./OddAssets.sol";
import {Typed} from "./Typed.sol";
import {VaultWorld} from "./VaultWorld.sol";

/// @notice Every way out of a vault, for every odd kind of token.
contract TokenMatrixTest is VaultWorld {
    Client private ada;

    function setUp() external {
        buildWorld();
        ada = openClient("ada", INDIVIDUAL);
    }

    function testATokenThatReturnsNothingLeaves() external {
        SilentToken token = new SilentToken();
        token.mint(address(ada.vault), 100);
        leaves(address(token));
        vm.assertEq(token.balanceOf(ada.listed), 3, "payment, and two of a batch");
        vm.assertEq(token.balanceOf(stranger), 5, "one-off");
        vm.assertEq(token.balanceOf(ada.config.exitDestination), 92, "exit");
    }

    function testATokenThatKeepsATollLeaves() external {
        TollAsset token = new TollAsset();
        token.mint(address(ada.vault), 100);
        limit(address(token));
        pay(ada, address(token), ada.listed, 50);
        vm.assertEq(token.balanceOf(ada.listed), 45, "less arrives");
        (, uint104 spent,,) = ada.vault.limits(address(token));
        vm.assertEq(spent, 50, "what was sent is counted");
        out(address(token));
        vm.assertEq(token.balanceOf(address(ada.vault)), 0, "nothing is left");
    }

    function testATokenThatFloodsTheAnswerLeaves() external {
        FloodingAsset token = new FloodingAsset();
        token.mint(address(ada.vault), 100);
        leaves(address(token));
        vm.assertEq(token.balanceOf(ada.config.exitDestination), 92, "exit");
    }

    function testAnAnswerThatIsNotTrueIsAFailure() external {
        LyingAsset lying = new LyingAsset();
        BabblingAsset babbling = new BabblingAsset();
        address[2] memory tokens = [address(lying), address(babbling)];
        for (uint256 i = 0; i < 2; ++i) {
            OddAsset(tokens[i]).mint(address(ada.vault), 100);
            limit(tokens[i]);
            stays(tokens[i]);
        }
        requestExit(ada);
        pass(EXIT);
        vm.expectRevert(abi.encodeWithSelector(SafeTransferLib.TransferFailed.selector));
        ada.vault.exit(ada.config, address(lying));
        ada.vault.exit(ada.config, address(dollar));
        vm.assertEq(dollar.balanceOf(ada.config.exitDestination), 100 ether, "others leave");
    }

    function testATokenWithoutCodeIsNone() external {
        address nothing = actor("no token");
        limit(nothing);
        stays(nothing);
    }

    function testAPlainAccountIsNoToken(uint256 seed) external {
        address account = vm.addr(clamp(seed, 1, GROUP_ORDER - 1));
        limit(account);
        stays(account);
    }

    function testAFrozenTokenHoldsUpNoOther() external {
        BlockingAsset token = new BlockingAsset();
        token.mint(address(ada.vault), 100);
        limit(address(token));
        token.block_(address(ada.vault), true);
        stays(address(token));
        requestExit(ada);
        pass(EXIT);
        vm.expectRevert();
        ada.vault.exit(ada.config, address(token));
        ada.vault.exit(ada.config, ETH);
        ada.vault.exit(ada.config, address(dollar));
        vm.assertEq(ada.config.exitDestination.balance, 100 ether, "ether");
        vm.assertEq(dollar.balanceOf(ada.config.exitDestination), 100 ether, "dollars");
        pass(1000 days);
        token.block_(address(ada.vault), false);
        ada.vault.exit(ada.config, address(token));
        vm.assertEq(token.balanceOf(ada.config.exitDestination), 100, "when it thaws");
    }

    function testTokensCallingBackGetNowhere() external {
        CallingAsset token = new CallingAsset();
        token.mint(address(ada.vault), 100);
        limit(address(token));
        Withdrawal memory second = withdrawal(ETH, ada.listed, 1 ether);
        second.deadline = type(uint64).max;
        bytes memory call = abi.encodeCall(ada.vault.pay, (ada.config, second, byQuorum(ada, Typed.hash(second))));
        token.callBack(address(ada.vault), call);
        pay(ada, address(token), ada.listed, 10);
        vm.assertTrue(token.called(), "it tried");
        vm.assertFalse(token.worked(), "while paying");
        vm.assertEq(ada.listed.balance, 0, "nothing more left");
        vm.assertFalse(ada.vault.nonceUsed(Side.Quorum, second.nonce), "nor was its nonce taken");
        ada.vault.pay(ada.config, second, byQuorum(ada, Typed.hash(second)));
        collectFee(ada, address(token), 0);
        pass(30 days);
        token.mint(address(ada.vault), 1e9);
        token.callBack(address(ada.vault), abi.encodeCall(ada.vault.openPolicy, (ada.config, abi.decode(ada.policy, (InitialPolicy)))));
        collectFee(ada, address(token), 1);
        vm.assertFalse(token.worked(), "while collecting");
        requestExit(ada);
        pass(EXIT);
        token.callBack(address(ada.vault), abi.encodeCall(ada.vault.exit, (ada.config, ETH)));
        ada.vault.exit(ada.config, address(token));
        vm.assertFalse(token.worked(), "while exiting");
        ada.vault.exit(ada.config, ETH);
        vm.assertTrue(ada.config.exitDestination.balance > 0, "the same call works outside");
    }

    function testAnotherVaultIsNotHeldUpByACallback() external {
        Client memory bob = openClient("bob", INDIVIDUAL);
        CallingAsset token = new CallingAsset();
        token.mint(address(ada.vault), 100);
        limit(address(token));
        Withdrawal memory his = withdrawal(ETH, bob.listed, 1 ether);
        token.callBack(
            address(bob.vault), abi.encodeCall(bob.vault.pay, (bob.config, his, byQuorum(bob, Typed.hash(his))))
        );
        pay(ada, address(token), ada.listed, 10);
        vm.assertTrue(token.worked(), "the guard is of one vault");
        vm.assertEq(bob.listed.balance, 1 ether, "paid inside of hers");
    }

    function testPayeesOfEtherGetNoFurther() external {
        Payee payee = new Payee();
        addDestination(ada, address(payee));
        pass(CHANGE);
        Withdrawal memory second = withdrawal(ETH, address(payee), 1 ether);
        payee.become(
            1,
            address(ada.vault),
            abi.encodeCall(ada.vault.pay, (ada.config, second, byQuorum(ada, Typed.hash(second))))
        );
        pay(ada, ETH, address(payee), 1 ether);
        vm.assertFalse(payee.worked(), "the second payment");
        vm.assertEq(address(payee).balance, 1 ether, "one payment");
        for (uint256 mode = 2; mode < 4; ++mode) {
            payee.become(mode, address(0), "");
            Withdrawal memory m = withdrawal(ETH, address(payee), 1);
            bytes memory signatures = byQuorum(ada, Typed.hash(m));
            vm.expectRevert(abi.encodeWithSelector(SafeTransferLib.ETHTransferFailed.selector));
            ada.vault.pay(ada.config, m, signatures);
            vm.assertFalse(ada.vault.nonceUsed(Side.Quorum, m.nonce), "the nonce is free");
        }
    }

    function testBalancesLargerThanAnyCapExitWhole() external {
        SilentToken token = new SilentToken();
        token.mint(address(ada.vault), type(uint256).max);
        out(address(token));
        vm.assertEq(token.balanceOf(ada.config.exitDestination), type(uint256).max, "all units there can be");
    }

    function testTheLargestCapIsNoMoreThanItsType(uint256 amount) external {
        SilentToken token = new SilentToken();
        token.mint(address(ada.vault), type(uint256).max);
        limit(address(token));
        amount = clamp(amount, type(uint104).max, type(uint256).max);
        Withdrawal memory m = withdrawal(address(token), ada.listed, amount);
        bytes memory signatures = byQuorum(ada, Typed.hash(m));
        if (amount > type(uint104).max) vm.expectRevert();
        ada.vault.pay(ada.config, m, signatures);
    }

    /// @dev The largest cap that there is.
    function limit(address token) private {
        LimitRaise memory m = queueLimitRaise(ada, token, type(uint104).max, false);
        pass(CHANGE);
        ada.vault.executeLimitRaise(ada.config, m);
    }

    function out(address token) private {
        requestExit(ada);
        pass(EXIT);
        ada.vault.exit(ada.config, token);
    }

    /// @dev One of a payment, two of a batch, five of a one-off, the rest by the exit.
    function leaves(address token) private {
        limit(token);
        pay(ada, token, ada.listed, 1);
        Payment[] memory payments = new Payment[](2);
        payments[0] = payment(token, ada.listed, 1);
        payments[1] = payment(token, ada.listed, 1);
        WithdrawalBatch memory m = WithdrawalBatch(payments, nextNonce(), soon());
        ada.vault.payBatch(ada.config, m, byQuorum(ada, Typed.hash(m)));
        payOnce(ada, token, stranger, 5);
        out(token);
    }

    function stays(address token) private {
        Withdrawal memory m = withdrawal(token, ada.listed, 1);
        bytes memory signatures = byQuorum(ada, Typed.hash(m));
        vm.expectRevert(abi.encodeWithSelector(SafeTransferLib.TransferFailed.selector));
        ada.vault.pay(ada.config, m, signatures);
        vm.assertFalse(ada.vault.nonceUsed(Side.Quorum, m.nonce), "the nonce is free");
        (, uint104 spent,,) = ada.vault.limits(token);
        vm.assertEq(spent, 0, "the cap is whole");
    }
}
