// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {VaultEvents} from "../sources/vault/VaultEvents.sol";
import {VaultExit} from "../sources/vault/VaultExit.sol";
import {
    DestinationAddition,
    ExitDestinationChange,
    ExitRequest,
    KeyRotation,
    LimitRaise,
    Veto
} from "../sources/vault/VaultMessages.sol";
import {VaultPolicy} from "../sources/vault/VaultPolicy.sol";
import {VaultState} from "../sources/vault/VaultState.sol";
import {Side} from "../sources/vault/VaultTypes.sol";
import {Typed} from "./Typed.sol";
import {VaultWorld} from "./VaultWorld.sol";

/// @notice Rotation of the client's keys, and the veto against what was queued.
contract VaultKeysTest is VaultWorld {
    Client private ada;
    uint256 private newKey = keyNamed("ada new");

    function setUp() external {
        buildWorld();
        ada = openClient("ada", INDIVIDUAL);
    }

    function testAKeyRotatesItselfAfterTheChangeDelay() external {
        Side[2] memory roles = [Side.ClientKey, Side.ExitKey];
        for (uint256 i = 0; i < 2; ++i) {
            Client memory bob = openClient(i == 0 ? "bob" : "bill", INDIVIDUAL);
            KeyRotation memory m = KeyRotation(roles[i], roles[i], keyId(newKey), nextNonce(), soon());
            bytes32 change = digestOf(bob, Typed.hash(m));
            bytes memory signature = bySide(bob, roles[i], Typed.hash(m));
            uint256 readyAt = block.timestamp + CHANGE;
            vm.expectEmit(address(bob.vault));
            emit VaultEvents.KeyRotationQueued(change, roles[i], roles[i], keyId(newKey), readyAt);
            bob.vault.queueKeyRotation(bob.config, m, signature);
            rotates(bob, m, readyAt);
        }
    }

    function testTheQuorumRotatesALostKeyAfterTheRecoveryDelay() external {
        Side[2] memory roles = [Side.ClientKey, Side.ExitKey];
        for (uint256 i = 0; i < 2; ++i) {
            Client memory bob = openClient(i == 0 ? "bob" : "bill", INDIVIDUAL);
            KeyRotation memory m = queueRotation(bob, Side.Quorum, roles[i], keyId(newKey));
            rotates(bob, m, block.timestamp + RECOVERY);
        }
    }

    function rotates(Client memory bob, KeyRotation memory m, uint256 readyAt) private {
        bytes32 change = digestOf(bob, Typed.hash(m));
        vm.assertEq(bob.vault.queued(change), readyAt, "fixed");
        passAlmost(change, readyAt);
        bob.vault.executeKeyRotation(bob.config, m);
        vm.warp(readyAt);
        vm.expectEmit(address(bob.vault));
        emit VaultEvents.KeyRotated(m.role, m.newKey);
        bob.vault.executeKeyRotation(bob.config, m);
        (bytes32 client, bytes32 exit_,) = bob.vault.roles(bob.config);
        bool ofClient = m.role == Side.ClientKey;
        vm.assertEq(client, ofClient ? m.newKey : bob.config.clientKey, "client key");
        vm.assertEq(exit_, ofClient ? bob.config.exitKey : m.newKey, "exit key");
        if (ofClient) {
            DestinationAddition memory a = DestinationAddition(stranger, nextNonce(), soon());
            bytes memory old = byClient(bob, Typed.hash(a));
            vm.expectPartialRevert(VaultState.WrongKey.selector);
            bob.vault.addDestination(bob.config, a, old);
            bob.clientKey = newKey;
            addDestination(bob, stranger);
        } else {
            ExitRequest memory r = ExitRequest(nextNonce(), soon());
            bytes memory old = byExit(bob, Typed.hash(r));
            vm.expectPartialRevert(VaultState.WrongKey.selector);
            bob.vault.requestExit(bob.config, r, old);
            bob.exitKey = newKey;
            requestExit(bob);
        }
    }

    /// Whoever executes chooses the moment, but not which of two keys stays.
    function testARotationQueuedBeforeTheOneInForceIsVoid() external {
        KeyRotation memory byTheOldKey = queueRotation(ada, Side.ClientKey, Side.ClientKey, keyId(newKey));
        KeyRotation memory recovery = queueRotation(ada, Side.Quorum, Side.ClientKey, keyId(keyNamed("quorum's")));
        pass(1);
        uint256 queuedAt = block.timestamp;
        KeyRotation memory later = queueRotation(ada, Side.ClientKey, Side.ClientKey, keyId(keyNamed("later")));
        KeyRotation memory ofExit = queueRotation(ada, Side.Quorum, Side.ExitKey, keyId(keyNamed("exit later")));
        pass(RECOVERY);
        ada.vault.executeKeyRotation(ada.config, later);
        KeyRotation[2] memory older = [byTheOldKey, recovery];
        for (uint256 i = 0; i < 2; ++i) {
            bytes32 change = digestOf(ada, Typed.hash(older[i]));
            vm.expectRevert(abi.encodeWithSelector(VaultPolicy.Overtaken.selector, change, queuedAt));
            ada.vault.executeKeyRotation(ada.config, older[i]);
        }
        ada.vault.executeKeyRotation(ada.config, ofExit);
        (bytes32 client, bytes32 exit_,) = ada.vault.roles(ada.config);
        vm.assertEq(client, later.newKey, "client key");
        vm.assertEq(exit_, ofExit.newKey, "the other role is another matter");
    }

    function testARotationQueuedLaterFollows() external {
        KeyRotation memory first = queueRotation(ada, Side.ClientKey, Side.ClientKey, keyId(newKey));
        pass(1);
        KeyRotation memory second = queueRotation(ada, Side.ClientKey, Side.ClientKey, keyId(keyNamed("later")));
        pass(CHANGE);
        ada.vault.executeKeyRotation(ada.config, first);
        ada.vault.executeKeyRotation(ada.config, second);
        (bytes32 client,,) = ada.vault.roles(ada.config);
        vm.assertEq(client, second.newKey, "client key");
    }

    function testAnExitDestinationQueuedBeforeTheOneInForceIsVoid() external {
        ExitDestinationChange memory first = queueExitDestination(ada, actor("first"));
        pass(1);
        uint256 queuedAt = block.timestamp;
        ExitDestinationChange memory second = queueExitDestination(ada, actor("second"));
        pass(EXIT_CHANGE);
        ada.vault.executeExitDestination(ada.config, second);
        bytes32 change = digestOf(ada, Typed.hash(first));
        vm.expectRevert(abi.encodeWithSelector(VaultPolicy.Overtaken.selector, change, queuedAt));
        ada.vault.executeExitDestination(ada.config, first);
        (,, address destination) = ada.vault.roles(ada.config);
        vm.assertEq(destination, actor("second"), "exit destination");
    }

    function testNoKeyRotatesTheOther() external {
        KeyRotation memory m = KeyRotation(Side.ClientKey, Side.ExitKey, keyId(newKey), nextNonce(), soon());
        bytes memory signature = byClient(ada, Typed.hash(m));
        vm.expectRevert(abi.encodeWithSelector(VaultState.WrongSide.selector, Side.ClientKey));
        ada.vault.queueKeyRotation(ada.config, m, signature);
        m = KeyRotation(Side.ExitKey, Side.ClientKey, keyId(newKey), nextNonce(), soon());
        signature = byExit(ada, Typed.hash(m));
        vm.expectRevert(abi.encodeWithSelector(VaultState.WrongSide.selector, Side.ExitKey));
        ada.vault.queueKeyRotation(ada.config, m, signature);
        m = KeyRotation(Side.Quorum, Side.Quorum, keyId(newKey), nextNonce(), soon());
        signature = byQuorum(ada, Typed.hash(m));
        vm.expectRevert(abi.encodeWithSelector(VaultState.WrongSide.selector, Side.Quorum));
        ada.vault.queueKeyRotation(ada.config, m, signature);
    }

    function testUnfitKeysAreRefused() external {
        bytes32[2] memory unfit = [bytes32(0), ada.config.exitKey];
        for (uint256 i = 0; i < 2; ++i) {
            KeyRotation memory m = KeyRotation(Side.ClientKey, Side.ClientKey, unfit[i], nextNonce(), soon());
            bytes memory signature = byClient(ada, Typed.hash(m));
            vm.expectRevert(abi.encodeWithSelector(VaultExit.UnfitKey.selector, unfit[i]));
            ada.vault.queueKeyRotation(ada.config, m, signature);
        }
        KeyRotation memory e =
            KeyRotation(Side.ExitKey, Side.ExitKey, ada.config.clientKey, nextNonce(), soon());
        bytes memory exits = byExit(ada, Typed.hash(e));
        vm.expectRevert(abi.encodeWithSelector(VaultExit.UnfitKey.selector, ada.config.clientKey));
        ada.vault.queueKeyRotation(ada.config, e, exits);
    }

    function testTwoRotationsDoNotMakeOneKeyOfTwo() external {
        KeyRotation memory client = queueRotation(ada, Side.ClientKey, Side.ClientKey, keyId(newKey));
        KeyRotation memory exit_ = queueRotation(ada, Side.ExitKey, Side.ExitKey, keyId(newKey));
        pass(CHANGE);
        ada.vault.executeKeyRotation(ada.config, client);
        vm.expectRevert(abi.encodeWithSelector(VaultExit.UnfitKey.selector, keyId(newKey)));
        ada.vault.executeKeyRotation(ada.config, exit_);
    }

    function testAStolenQuorumGetsNoKeyWhileTheClientVetoes() external {
        Side[2] memory sides = [Side.ClientKey, Side.ExitKey];
        for (uint256 i = 0; i < 2; ++i) {
            KeyRotation memory m = queueRotation(ada, Side.Quorum, Side.ExitKey, keyId(newKey));
            bytes32 change = digestOf(ada, Typed.hash(m));
            Veto memory v = Veto(sides[i], change, nextNonce(), soon());
            bytes memory signature = bySide(ada, sides[i], Typed.hash(v));
            vm.expectEmit(address(ada.vault));
            emit VaultEvents.Vetoed(change, sides[i]);
            ada.vault.veto(ada.config, v, signature);
            vm.assertEq(ada.vault.queued(change), 0, "gone");
            pass(RECOVERY);
            vm.expectRevert(abi.encodeWithSelector(VaultPolicy.NotQueued.selector, change));
            ada.vault.executeKeyRotation(ada.config, m);
        }
    }

    function testTheVetoWorksOnEverythingQueuedAndInAnExit() external {
        LimitRaise memory raise = queueLimitRaise(ada, ETH, CAP + 1, false);
        bytes32 destination = Typed.hash(queueExitDestination(ada, stranger));
        requestExit(ada);
        veto(ada, Side.ExitKey, Typed.hash(raise));
        veto(ada, Side.ClientKey, destination);
        vm.assertEq(ada.vault.queued(digestOf(ada, Typed.hash(raise))), 0, "the raise");
        vm.assertEq(ada.vault.queued(digestOf(ada, destination)), 0, "the exit destination");
    }

    function testTheQuorumVetoesNothing() external {
        LimitRaise memory raise = queueLimitRaise(ada, ETH, CAP + 1, false);
        Veto memory v = Veto(Side.Quorum, digestOf(ada, Typed.hash(raise)), nextNonce(), soon());
        bytes memory signature = byQuorum(ada, Typed.hash(v));
        vm.expectRevert(abi.encodeWithSelector(VaultState.WrongSide.selector, Side.Quorum));
        ada.vault.veto(ada.config, v, signature);
        v.side = Side.ClientKey;
        signature = byQuorum(ada, Typed.hash(v));
        vm.expectPartialRevert(VaultState.WrongKey.selector);
        ada.vault.veto(ada.config, v, signature);
    }

    function testAVetoOfNothingIsRefused() external {
        Veto memory v = Veto(Side.ClientKey, "nothing", nextNonce(), soon());
        bytes memory signature = byClient(ada, Typed.hash(v));
        vm.expectRevert(abi.encodeWithSelector(VaultPolicy.NotQueued.selector, bytes32("nothing")));
        ada.vault.veto(ada.config, v, signature);
    }

    function testWhatWasVetoedIsNotQueuedAgainWithTheSameSignature() external {
        LimitRaise memory raise = LimitRaise(ETH, CAP + 1, false, nextNonce(), soon());
        bytes memory signature = byClient(ada, Typed.hash(raise));
        ada.vault.queueLimitRaise(ada.config, raise, signature);
        veto(ada, Side.ExitKey, Typed.hash(raise));
        vm.expectRevert(abi.encodeWithSelector(VaultState.NonceUsed.selector, Side.ClientKey, raise.nonce));
        ada.vault.queueLimitRaise(ada.config, raise, signature);
    }

    /// @dev What lies in memory when nothing could be recovered must not be taken for somebody.
    function testWhatIsNoSignatureIsNobodys() external {
        bytes memory zeros = new bytes(65);
        for (uint256 id = 1; id < 4; ++id) {
            Client memory bob = newClient("bob", INDIVIDUAL);
            bob.config.clientKey = bytes32(id);
            bob.config.exitKey = bytes32(id + 1);
            place(bob);
            factory.create(bob.config);
            DestinationAddition memory a = DestinationAddition(stranger, nextNonce(), soon());
            vm.expectPartialRevert(VaultState.WrongKey.selector);
            bob.vault.addDestination(bob.config, a, zeros);
            ExitRequest memory r = ExitRequest(nextNonce(), soon());
            vm.expectPartialRevert(VaultState.WrongKey.selector);
            bob.vault.requestExit(bob.config, r, zeros);
        }
    }
}
