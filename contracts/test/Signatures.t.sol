// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import "../sources/vault/VaultMessages.sol";
import {VaultState} from "../sources/vault/VaultState.sol";
import {Side} from "../sources/vault/VaultTypes.sol";
import {Typed} from "./Typed.sol";
import {VaultWorld} from "./VaultWorld.sol";

/// @notice Of every function that a signature opens: it opens for that signature alone, until its deadline, once.
contract SignaturesTest is VaultWorld {
    struct Door {
        string name;
        bytes call;
        /// The same, signed by somebody else.
        bytes forged;
    }

    Client private ada;
    Door[] private doors;
    bytes32 private vetoed;

    function setUp() external {
        buildWorld();
        ada = openClient("ada", INDIVIDUAL);
        collectFee(ada, ETH, 0);
        vetoed = Typed.hash(queueLimitRaise(ada, ETH, CAP + 1, false));
        listPayments();
        listAgreements();
        listExit();
    }

    function testOnlyTheRightSignatureOpensAndOnlyOnceAndOnlyInTime() external {
        for (uint256 i = 0; i < doors.length; ++i) {
            Door memory door = doors[i];
            vm.assertTrue(isOf(answerTo(door.forged), VaultState.NoQuorum.selector, VaultState.WrongKey.selector), door.name);
            uint256 snapshot = vm.snapshotState();
            pass(1 hours);
            vm.assertEq(answerTo(door.call).length, 0, door.name);
            vm.assertTrue(answerTo(door.call).length != 0, door.name);
            vm.revertToState(snapshot);
            pass(1 hours + 1);
            vm.assertTrue(isOf(answerTo(door.call), VaultState.Expired.selector, 0), door.name);
            vm.revertToState(snapshot);
        }
        vm.assertEq(doors.length, 14, "every door but that of the cancellation");
    }

    /// @dev That one needs an exit.
    function testACancellationIsTheExitKeysOnceAndInTime() external {
        ExitCancellation memory m = ExitCancellation(nextNonce(), soon());
        delete doors;
        add("cancelExit", abi.encodeCall(ada.vault.cancelExit, (ada.config, m, byExit(ada, Typed.hash(m)))));
        requestExit(ada);
        vm.assertTrue(isOf(answerTo(doors[0].forged), VaultState.WrongKey.selector, 0), "forged");
        vm.assertEq(answerTo(doors[0].call).length, 0, "right");
        requestExit(ada);
        vm.assertTrue(isOf(answerTo(doors[0].call), VaultState.NonceUsed.selector, 0), "again");
        pass(1 hours + 1);
        vm.assertTrue(isOf(answerTo(doors[0].call), VaultState.Expired.selector, 0), "late");
    }

    function listPayments() private {
        Withdrawal memory w = withdrawal(ETH, ada.listed, 1);
        add("pay", abi.encodeCall(ada.vault.pay, (ada.config, w, byQuorum(ada, Typed.hash(w)))));
        WithdrawalBatch memory b = WithdrawalBatch(new Payment[](1), nextNonce(), soon());
        b.payments[0] = payment(ETH, ada.listed, 1);
        add("payBatch", abi.encodeCall(ada.vault.payBatch, (ada.config, b, byQuorum(ada, Typed.hash(b)))));
        OneOff memory o = oneOff(ETH, stranger, 1);
        bytes32 hash = Typed.hash(o);
        add("payOnce", abi.encodeCall(ada.vault.payOnce, (ada.config, o, byQuorum(ada, hash), byClient(ada, hash))));
        Fee memory f = Fee(ETH, 0, nextNonce(), soon());
        add("collectFee", abi.encodeCall(ada.vault.collectFee, (ada.config, f, byQuorum(ada, Typed.hash(f)))));
        Invalidation memory i = Invalidation(nextNonce(), soon());
        add("invalidate", abi.encodeCall(ada.vault.invalidate, (ada.config, i, byQuorum(ada, Typed.hash(i)))));
    }

    function listAgreements() private {
        DestinationAddition memory a = DestinationAddition(stranger, nextNonce(), soon());
        add("addDestination", abi.encodeCall(ada.vault.addDestination, (ada.config, a, byClient(ada, Typed.hash(a)))));
        DestinationRemoval memory r = DestinationRemoval(Side.Quorum, ada.listed, nextNonce(), soon());
        add("removeDestination", abi.encodeCall(ada.vault.removeDestination, (ada.config, r, byQuorum(ada, Typed.hash(r)))));
        LimitRaise memory l = LimitRaise(ETH, CAP + 2, false, nextNonce(), soon());
        add("queueLimitRaise", abi.encodeCall(ada.vault.queueLimitRaise, (ada.config, l, byClient(ada, Typed.hash(l)))));
        LimitLowering memory d = LimitLowering(Side.Quorum, ETH, 1, false, nextNonce(), soon());
        add("lowerLimit", abi.encodeCall(ada.vault.lowerLimit, (ada.config, d, byQuorum(ada, Typed.hash(d)))));
        Pause memory p = Pause(Side.ClientKey, nextNonce(), soon());
        add("pause", abi.encodeCall(ada.vault.pause, (ada.config, p, byClient(ada, Typed.hash(p)))));
    }

    function listExit() private {
        ExitDestinationChange memory e = ExitDestinationChange(stranger, nextNonce(), soon());
        add(
            "queueExitDestination",
            abi.encodeCall(ada.vault.queueExitDestination, (ada.config, e, byClient(ada, Typed.hash(e))))
        );
        KeyRotation memory k = KeyRotation(Side.Quorum, Side.ExitKey, keyId(7), nextNonce(), soon());
        add("queueKeyRotation", abi.encodeCall(ada.vault.queueKeyRotation, (ada.config, k, byQuorum(ada, Typed.hash(k)))));
        Veto memory v = Veto(Side.ExitKey, digestOf(ada, vetoed), nextNonce(), soon());
        add("veto", abi.encodeCall(ada.vault.veto, (ada.config, v, byExit(ada, Typed.hash(v)))));
        ExitRequest memory q = ExitRequest(nextNonce(), soon());
        add("requestExit", abi.encodeCall(ada.vault.requestExit, (ada.config, q, byExit(ada, Typed.hash(q)))));
    }

    /// @dev A signature stands at the end: 65 bytes of each signer, filled up to words. One byte of the last `s` is changed.
    function add(string memory name, bytes memory call) private {
        bytes memory forged = bytes.concat(call);
        uint256 last = forged.length - 1;
        while (forged[last] == 0) --last;
        forged[last - 1] ^= 0x01;
        doors.push(Door(name, call, forged));
    }

    function answerTo(bytes memory call) private returns (bytes memory answer) {
        bool ok;
        (ok, answer) = address(ada.vault).call(call);
        if (ok) return "";
    }

    function isOf(bytes memory answer, bytes4 one, bytes4 other) private pure returns (bool) {
        return answer.length != 0 && (bytes4(answer) == one || bytes4(answer) == other);
    }
}
