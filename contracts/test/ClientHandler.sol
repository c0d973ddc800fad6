// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import "../sources/vault/VaultMessages.sol";
import {Side} from "../sources/vault/VaultTypes.sol";
import {CustodianHandler} from "./CustodianHandler.sol";
import {Typed} from "./Typed.sol";

/// @notice What clients do with their keys, and the quorum where it may do the same.
abstract contract ClientHandler is CustodianHandler {
    // The client.

    function addDestination(uint256 seed, uint256 place) external {
        uint256 i = pickWithoutExit(seed);
        address to = placeFor(i, place);
        // What is listed already is asked for once in a while; else somebody new is.
        if (place % 4 != 0 && activeFrom[i][to] != REMOVED && activeFrom[i][to] != 0) {
            to = address(uint160(uint256(keccak256(abi.encode("new", i, place)))));
        }
        if (successes["add destination"] == 0) {
            wake(i);
            to = address(uint160(uint256(keccak256(abi.encode("first", i)))));
        }
        DestinationAddition memory m = DestinationAddition(to, nextNonce(), soon());
        uint256 from = activeFrom[i][to];
        bool wanted = exitReadyAt[i] == 0 && (from == 0 || from == REMOVED) && !isVault(to);
        bool ok = send(
            i, abi.encodeCall(clients[0].vault.addDestination, (clients[i].config, m, byClient(clients[i], Typed.hash(m))))
        );
        check(ok == wanted, "an addition by the client key");
        if (!ok) return;
        activeFrom[i][to] = block.timestamp + CHANGE;
        ++successes["add destination"];
    }

    function removeDestination(uint256 seed, uint256 place) external {
        if (seed % 4 != 0 && successes["remove destination"] != 0) return;
        uint256 i = (seed >> 8) % 3;
        address to = placeFor(i, place);
        Side side = (seed >> 16) % 2 == 0 ? Side.Quorum : Side.ClientKey;
        DestinationRemoval memory m = DestinationRemoval(side, to, nextNonce(), soon());
        bytes memory signature = bySide(clients[i], side, Typed.hash(m));
        check(
            send(i, abi.encodeCall(clients[0].vault.removeDestination, (clients[i].config, m, signature))),
            "a removal by either side"
        );
        activeFrom[i][to] = REMOVED;
        ++successes["remove destination"];
    }

    function lowerLimit(uint256 seed, uint104 cap) external {
        bool first = successes["lower limit"] == 0;
        if (seed % 4 != 0 && !first) return;
        (uint256 i, address token) = pick(seed >> 8);
        Side side = (seed >> 16) % 2 == 0 ? Side.Quorum : Side.ClientKey;
        // Around what it is, so that something is left to pay with.
        uint256 current = caps[i][token].cap;
        cap = uint104(first ? current - 1 : clamp(cap, current / 2, current + 1 ether));
        bool wanted = cap < current;
        LimitLowering memory m = LimitLowering(side, token, cap, false, nextNonce(), soon());
        bytes memory signature = bySide(clients[i], side, Typed.hash(m));
        bool ok = send(i, abi.encodeCall(clients[0].vault.lowerLimit, (clients[i].config, m, signature)));
        check(ok == wanted, "a lowering by either side");
        if (!ok) return;
        caps[i][token].cap = cap;
        newestSince[i][newestOf(1, abi.encode(token, cap))] = block.timestamp;
        ++successes["lower limit"];
    }

    function queueRaise(uint256 seed, uint256 more) public {
        (uint256 i, address token) = pick(seed);
        uint104 cap = uint104(caps[i][token].cap + clamp(more, 1, 50 ether));
        LimitRaise memory m = LimitRaise(token, cap, false, nextNonce(), soon());
        bytes memory call =
            abi.encodeCall(clients[0].vault.queueLimitRaise, (clients[i].config, m, byClient(clients[i], Typed.hash(m))));
        check(send(i, call) == (exitReadyAt[i] == 0), "a raise by the client key");
        if (exitReadyAt[i] != 0) return;
        bytes memory execution = abi.encodeCall(clients[0].vault.executeLimitRaise, (clients[i].config, m));
        wait(i, Typed.hash(m), execution, CHANGE, 1, abi.encode(token, uint256(cap)));
    }

    function queueExitDestination(uint256 seed) public {
        uint256 i = seed % 3;
        address to = address(uint160(uint256(keccak256(abi.encode("exit", i, seed % 5)))));
        ExitDestinationChange memory m = ExitDestinationChange(to, nextNonce(), soon());
        bytes memory call =
            abi.encodeCall(clients[0].vault.queueExitDestination, (clients[i].config, m, byClient(clients[i], Typed.hash(m))));
        check(send(i, call) == (exitReadyAt[i] == 0), "an exit destination by the client key");
        if (exitReadyAt[i] != 0) return;
        bytes memory execution = abi.encodeCall(clients[0].vault.executeExitDestination, (clients[i].config, m));
        wait(i, Typed.hash(m), execution, EXIT_CHANGE, 2, abi.encode(to));
    }

    function queueRotation(uint256 seed) public {
        uint256 i = seed % 3;
        Side role = (seed >> 8) % 2 == 0 ? Side.ClientKey : Side.ExitKey;
        Side side = (seed >> 16) % 2 == 0 ? Side.Quorum : role;
        uint256 key = keyNamed(string(abi.encode("rotated", seed)));
        KeyRotation memory m = KeyRotation(side, role, keyId(key), nextNonce(), soon());
        bytes memory signature = bySide(clients[i], side, Typed.hash(m));
        bool ok = send(i, abi.encodeCall(clients[0].vault.queueKeyRotation, (clients[i].config, m, signature)));
        check(ok == (exitReadyAt[i] == 0), "a rotation by the key or the quorum");
        if (!ok) return;
        uint256 delay = side == Side.Quorum ? RECOVERY : CHANGE;
        bytes memory execution = abi.encodeCall(clients[0].vault.executeKeyRotation, (clients[i].config, m));
        wait(i, Typed.hash(m), execution, delay, 3, abi.encode(role, key));
    }

    function veto(uint256 seed) external {
        bool first = successes["veto"] == 0;
        if (first) {
            wake(seed % 3);
            queueRaise(seed, 1);
        }
        if (waiting.length == 0 || seed % 4 != 0 && !first) return;
        Waiting storage w = waiting[first ? waiting.length - 1 : (seed >> 8) % waiting.length];
        Client memory c = clients[w.client];
        Side side = (seed >> 128) % 2 == 0 ? Side.ClientKey : Side.ExitKey;
        Veto memory m = Veto(side, digestOf(c, w.message), nextNonce(), soon());
        bool ok = send(w.client, abi.encodeCall(clients[0].vault.veto, (c.config, m, bySide(c, side, Typed.hash(m)))));
        check(ok == !w.done, "a veto of what is queued");
        w.done = true;
        if (ok) ++successes["veto"];
    }

    function pause(uint256 seed) external {
        if (seed % 4 != 0 && successes["pause"] != 0) return;
        uint256 i = (seed >> 8) % 3;
        Side side = (seed >> 16) % 2 == 0 ? Side.Quorum : Side.ClientKey;
        Pause memory m = Pause(side, nextNonce(), soon());
        uint256 until = pausedUntil[i][side];
        if (successes["pause"] == 0 && until != 0) vm.warp(until + PAUSE);
        bool wanted = until == 0 || block.timestamp >= until + PAUSE;
        bytes memory signature = bySide(clients[i], side, Typed.hash(m));
        bool ok = send(i, abi.encodeCall(clients[0].vault.pause, (clients[i].config, m, signature)));
        check(ok == wanted, "a pause has its time and its rest");
        if (!ok) return;
        pausedUntil[i][side] = block.timestamp + PAUSE;
        ++successes["pause"];
    }

    function requestExit(uint256 seed) external {
        if (seed % 3 != 0 && successes["request exit"] != 0) return;
        uint256 i = (seed >> 8) % 3;
        if (successes["request exit"] == 0) wake(i);
        askForExit(i);
    }

    function askForExit(uint256 i) internal {
        ExitRequest memory m = ExitRequest(nextNonce(), soon());
        bytes memory signature = byExit(clients[i], Typed.hash(m));
        bool ok = send(i, abi.encodeCall(clients[0].vault.requestExit, (clients[i].config, m, signature)));
        check(ok == (exitReadyAt[i] == 0), "I9: a request by the exit key");
        if (!ok) return;
        exitReadyAt[i] = block.timestamp + EXIT;
        ++successes["request exit"];
    }

    function cancelExit(uint256 seed) external {
        // Of a client who asked for it, if there is one: else the vaults would stand still most of the time.
        uint256 i = seed % 3;
        for (uint256 k = 0; k < 3 && exitReadyAt[i] == 0; ++k) {
            i = (i + 1) % 3;
        }
        if (successes["cancel exit"] == 0 && exitReadyAt[i] == 0) askForExit(i);
        if (takeBack(i)) ++successes["cancel exit"];
    }

    function takeBack(uint256 i) private returns (bool ok) {
        ExitCancellation memory m = ExitCancellation(nextNonce(), soon());
        bytes memory signature = byExit(clients[i], Typed.hash(m));
        ok = send(i, abi.encodeCall(clients[0].vault.cancelExit, (clients[i].config, m, signature)));
        check(ok == (exitReadyAt[i] != 0), "a cancellation by the exit key");
        exitReadyAt[i] = 0;
    }

    function wake(uint256 i) internal override {
        if (exitReadyAt[i] != 0) takeBack(i);
        uint256 until = max(pausedUntil[i][Side.Quorum], pausedUntil[i][Side.ClientKey]);
        if (block.timestamp < until) vm.warp(until);
    }

    function max(uint256 a, uint256 b) private pure returns (uint256) {
        return a > b ? a : b;
    }

    /// @dev What two changes of a vault have in common of which only the newer may be executed.
    function newestOf(uint256 kind, bytes memory content) internal pure returns (bytes32) {
        if (kind == 2) return bytes32(kind);
        // A limit is one of a token, a key one of a side.
        return keccak256(abi.encode(kind, abi.decode(content, (uint256))));
    }

    function wait(uint256 i, bytes32 message, bytes memory execution, uint256 delay, uint256 kind, bytes memory content)
        private
    {
        waiting.push(
            Waiting(i, message, execution, block.timestamp, block.timestamp + delay, false, kind, content)
        );
        ++successes["queue"];
    }
}
