// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SweepDelegate} from "../sources/vault/SweepDelegate.sol";
import {SilentToken} from "../sources/OddTokens.sol";
import {CallingAsset} from "./OddAssets.sol";
import {VaultWorld} from "./VaultWorld.sol";

/// @notice A legacy address that delegated (EIP-7702) pays its compartment's wallet, whoever calls, and nobody else.
contract SweepDelegateTest is VaultWorld {
    SweepDelegate private delegate;
    address private wallet = actor("wallet");
    uint256 private key = keyNamed("legacy");
    address private legacy = vm.addr(keyNamed("legacy"));

    function setUp() external {
        buildWorld();
        delegate = SweepDelegate(payable(deploy("SweepDelegate", abi.encode(wallet))));
        vm.signAndAttachDelegation(address(delegate), key);
        SweepDelegate(payable(legacy)).wallet();
    }

    function testAnybodySweepsToTheWalletAlone(address caller) external {
        vm.assertEq(legacy.code.length, 23, "delegated");
        dollar.mint(legacy, 7);
        vm.expectEmit(legacy);
        emit SweepDelegate.Swept(address(dollar), 7);
        vm.prank(caller);
        SweepDelegate(payable(legacy)).sweep(address(dollar));
        vm.assertEq(dollar.balanceOf(wallet), 7, "to the wallet");
        vm.assertEq(dollar.balanceOf(legacy), 0, "all of it");
        vm.assertEq(SweepDelegate(payable(legacy)).wallet(), wallet, "pinned");
    }

    function testTokensThatReturnNothingAreSweptToo() external {
        SilentToken token = new SilentToken();
        token.mint(legacy, 9);
        SweepDelegate(payable(legacy)).sweep(address(token));
        vm.assertEq(token.balanceOf(wallet), 9, "swept");
    }

    function testEtherStillArrivesAndStays() external {
        vm.deal(address(this), 1 ether);
        (bool ok,) = legacy.call{value: 1 ether}("");
        vm.assertTrue(ok, "taken");
        vm.assertEq(legacy.balance, 1 ether, "and kept");
    }

    function testNothingElseIsAnswered(bytes calldata words) external {
        vm.assume(words.length != 0);
        if (words.length >= 4) {
            bytes4 selector = bytes4(words[:4]);
            vm.assume(selector != SweepDelegate.sweep.selector && selector != bytes4(keccak256("wallet()")));
        }
        (bool ok,) = legacy.call(words);
        vm.assertFalse(ok, "no other function");
    }

    function testATokenThatCallsBackGetsNothingForOthers() external {
        CallingAsset token = new CallingAsset();
        token.mint(legacy, 3);
        dollar.mint(legacy, 5);
        token.callBack(legacy, abi.encodeCall(SweepDelegate.sweep, (address(dollar))));
        SweepDelegate(payable(legacy)).sweep(address(token));
        vm.assertEq(dollar.balanceOf(wallet), 5, "only to the wallet, again");
    }

    function testItPaysSomebody() external {
        vm.assertEq(tryDeploy("SweepDelegate", abi.encode(address(0))), address(0), "no wallet");
    }

    function testRevocationEndsIt() external {
        vm.signAndAttachDelegation(address(0), key);
        (bool ok,) = legacy.call("");
        vm.assertTrue(ok, "a plain account takes calls");
        vm.assertEq(legacy.code.length, 0, "without code");
        dollar.mint(legacy, 7);
        (ok,) = legacy.call(abi.encodeCall(SweepDelegate.sweep, (address(dollar))));
        vm.assertEq(dollar.balanceOf(legacy), 7, "nothing is swept");
    }
}
