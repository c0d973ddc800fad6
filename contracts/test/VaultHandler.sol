// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Fee, KeyRotation, OneOff, Withdrawal} from "../sources/vault/VaultMessages.sol";
import {Side, VaultConfig} from "../sources/vault/VaultTypes.sol";
import {ClientHandler} from "./ClientHandler.sol";
import {TollAsset} from "./OddAssets.sol";
import {Typed} from "./Typed.sol";

/// @notice Everything that anybody can do to three vaults: the custodian, its clients, a relayer, a thief with one key too
/// few, tokens that call back; and what the invariants ask.
contract VaultHandler is ClientHandler {
    function begin() external {
        buildModel();
    }

    // Anybody.

    function openExit(uint256 seed) external {
        uint256 i = seed % 3;
        bool first = successes["open exit"] == 0;
        if (first) wake(i);
        if (first || (seed >> 200) % 8 == 0) pass(SILENCE + 1);
        bool silent = block.timestamp > uint256(signers.lastHeartbeat()) + SILENCE;
        bool wanted = silent && (exitReadyAt[i] == 0 || exitReadyAt[i] > block.timestamp);
        (bool ok,) = address(clients[i].vault).call(abi.encodeCall(clients[0].vault.openExit, (clients[i].config)));
        check(ok == wanted, "silence opens the exit, and nothing else does");
        if (!ok) return;
        exitReadyAt[i] = block.timestamp;
        ++successes["open exit"];
    }

    function exit(uint256 seed) external {
        (uint256 i, address token) = pick(seed);
        if (successes["exit"] == 0) {
            if (exitReadyAt[i] == 0) askForExit(i);
            bring(i, token, 10);
        }
        // Often it is waited for.
        if (exitReadyAt[i] > block.timestamp && ((seed >> 200) % 2 == 0 || successes["exit"] == 0)) vm.warp(exitReadyAt[i]);
        address vault = address(clients[i].vault);
        uint256 amount = balanceOf(token, vault);
        bool wanted = exitReadyAt[i] != 0 && block.timestamp >= exitReadyAt[i] && amount != 0;
        uint256 before = balanceOf(token, exitDestination[i]);
        (bool ok,) = vault.call(abi.encodeCall(clients[0].vault.exit, (clients[i].config, token)));
        check(ok == wanted, "I9: an exit that is ready pays, and no other does");
        if (!ok) return;
        uint256 got = balanceOf(token, exitDestination[i]) - before;
        check(got == (token == tokens[2] ? amount - amount / 10 : amount), "I10: all, to the exit destination");
        check(balanceOf(token, vault) == 0, "I10: nothing is left");
        noteLeft(i, token, exitDestination[i], amount);
        ++successes["exit"];
    }

    function execute(uint256 seed) external {
        uint256 number = seed;
        bool rare = successes["raise limit"] == 0 || successes["change exit destination"] == 0 || successes["rotate key"] == 0;
        if (rare) number = queueRare(seed);
        if (waiting.length == 0) return;
        Waiting storage w = waiting[number % waiting.length];
        if (w.readyAt > block.timestamp && (rare || (seed >> 200) % 4 == 0)) vm.warp(w.readyAt);
        bytes32 newest = newestOf(w.kind, w.content);
        bool wanted = !w.done && block.timestamp >= w.readyAt && exitReadyAt[w.client] == 0
            && w.queuedAt > newestSince[w.client][newest] && raises(w);
        (bool ok,) = address(clients[w.client].vault).call(w.execution);
        check(ok == wanted, "a change that is ready, newest and not vetoed is executed, and no other is");
        if (!ok) return;
        w.done = true;
        if (w.kind != 1) newestSince[w.client][newest] = w.queuedAt;
        if (w.kind == 1) {
            (address token, uint256 cap) = abi.decode(w.content, (address, uint256));
            caps[w.client][token].cap = cap;
            ++successes["raise limit"];
        } else if (w.kind == 2) {
            exitDestination[w.client] = abi.decode(w.content, (address));
            ++successes["change exit destination"];
        } else {
            (Side role, uint256 key) = abi.decode(w.content, (Side, uint256));
            if (role == Side.ClientKey) clients[w.client].clientKey = key;
            else clients[w.client].exitKey = key;
            ++successes["rotate key"];
        }
    }

    /// @dev Queues a change of a kind of which none was executed yet.
    function queueRare(uint256 seed) private returns (uint256 number) {
        wake(seed % 3);
        // What was queued in this second is not after it.
        pass(1);
        if (successes["raise limit"] == 0) queueRaise(seed, 1);
        else if (successes["change exit destination"] == 0) queueExitDestination(seed);
        else queueRotation(seed);
        return waiting.length - 1;
    }

    function raises(Waiting storage w) private view returns (bool) {
        if (w.kind != 1) return true;
        (address token, uint256 cap) = abi.decode(w.content, (address, uint256));
        return cap > caps[w.client][token].cap;
    }

    function openAgain(uint256 seed) external {
        uint256 i = seed % 3;
        if (successes["open and create again"] == 0) wake(i);
        if (exitReadyAt[i] != 0) return;
        openPolicy(clients[i]);
        VaultConfig[] memory configs = new VaultConfig[](1);
        configs[0] = clients[i].config;
        factory.createMany(configs);
        ++successes["open and create again"];
    }

    function wait(uint256 time) external {
        pass(clamp(time, 0, time % 5 == 0 ? 9 days : 1 days));
        ++successes["wait"];
    }

    // Thieves.

    /// @dev Everything that was ever signed and had its effect: again, at another vault, on another chain.
    function replay(uint256 seed) external {
        if (sent.length == 0) return;
        Sent memory s = sent[seed % sent.length];
        Client memory other = clients[(s.client + 1 + (seed >> 128) % 2) % 3];
        (bool again,) = address(clients[s.client].vault).call(s.call);
        check(!again, "I6: a signature had its effect twice");
        (bool elsewhere,) = address(other.vault).call(s.call);
        check(!elsewhere, "I8: with another configuration");
        bytes memory moved = abi.encode(other.config);
        bytes memory call = s.call;
        for (uint256 k = 0; k < moved.length; ++k) {
            call[4 + k] = moved[k];
        }
        (bool transplanted,) = address(other.vault).call(call);
        check(!transplanted, "I8: a signature for one vault had its effect on another");
        ++successes["replay"];
    }

    function payOnAnotherChain(uint256 seed, uint64 chain) external {
        (uint256 i, address token) = pick(seed);
        uint256 home = block.chainid;
        if (chain == home || chain == 0) return;
        Withdrawal memory m = withdrawal(token, clients[i].listed, 1);
        bytes memory call = abi.encodeCall(clients[0].vault.pay, (clients[i].config, m, byQuorum(clients[i], Typed.hash(m))));
        vm.chainId(chain);
        (bool abroad,) = address(clients[i].vault).call(call);
        vm.chainId(home);
        check(!abroad, "I8: a signature for one chain had its effect on another");
        ++successes["another chain"];
    }

    /// @dev One member's key and any others that are none: it never gets through, whatever is asked.
    function steal(uint256 seed, uint256 what, uint256 amount) external {
        (uint256 i, address token) = pick(seed);
        amount = clamp(amount, 0, 10 ether);
        bytes memory call;
        if (what % 4 == 0) call = stolenPayment(clients[i], token, amount, seed);
        if (what % 4 == 1) call = stolenOneOff(clients[i], token, amount, seed);
        if (what % 4 == 2) call = stolenFee(clients[i], token, seed);
        if (what % 4 == 3) call = stolenKey(clients[i], seed);
        (bool ok,) = address(clients[i].vault).call(call);
        check(!ok, "I7: fewer signers than the threshold had an effect");
        ++successes["theft"];
    }

    function stolenPayment(Client memory c, address token, uint256 amount, uint256 seed) private returns (bytes memory) {
        Withdrawal memory m = withdrawal(token, c.listed, amount);
        return abi.encodeCall(c.vault.pay, (c.config, m, tooFew(seed, digestOf(c, Typed.hash(m)))));
    }

    function stolenOneOff(Client memory c, address token, uint256 amount, uint256 seed) private returns (bytes memory) {
        OneOff memory m = oneOff(token, stranger, amount);
        bytes memory signatures = tooFew(seed, digestOf(c, Typed.hash(m)));
        return abi.encodeCall(c.vault.payOnce, (c.config, m, signatures, byClient(c, Typed.hash(m))));
    }

    function stolenFee(Client memory c, address token, uint256 seed) private returns (bytes memory) {
        Fee memory m = Fee(token, 0, nextNonce(), soon());
        return abi.encodeCall(c.vault.collectFee, (c.config, m, tooFew(seed, digestOf(c, Typed.hash(m)))));
    }

    function stolenKey(Client memory c, uint256 seed) private returns (bytes memory) {
        bytes32 key = keyId(keyNamed("thief"));
        KeyRotation memory m = KeyRotation(Side.Quorum, Side.ExitKey, key, nextNonce(), soon());
        return abi.encodeCall(c.vault.queueKeyRotation, (c.config, m, tooFew(seed, digestOf(c, Typed.hash(m)))));
    }

    /// @dev A member's signature, and the same again, or another's twisted, or a stranger's.
    function tooFew(uint256 seed, bytes32 digest) private view returns (bytes memory) {
        bytes memory one = sign(memberKeys[seed % 3], digest);
        bytes memory two = one;
        if (seed % 5 == 1) two = signHigh(memberKeys[(seed + 1) % 3], digest);
        if (seed % 5 > 1) two = sign(keyNamed("thief"), digest);
        return (seed >> 64) % 2 == 0 ? bytes.concat(one, two) : bytes.concat(two, one);
    }

    function pokeTheImplementation(uint256 seed) external {
        if (sent.length == 0) return;
        (bool ok,) = factory.vaultImplementation().call(sent[seed % sent.length].call);
        check(!ok, "I11: the implementation did something");
        ++successes["poke"];
    }

    // What the invariants ask.

    function checkAll() external {
        this.checkBalances();
        this.checkDestinations();
        this.checkFees();
        this.checkWindows();
        this.checkCode();
        this.checkAllowances();
        uint256 snapshot = vm.snapshotState();
        this.checkExits();
        vm.revertToState(snapshot);
    }

    function checkBalances() external view {
        for (uint256 i = 0; i < 3; ++i) {
            for (uint256 t = 0; t < tokens.length; ++t) {
                uint256 balance = balanceOf(tokens[t], address(clients[i].vault));
                check(balance + left[i][tokens[t]] == arrived[i][tokens[t]], "I1: what came is there or left by an event");
            }
        }
    }

    /// @dev Addresses of one client hold what that client's vault paid, and nothing of another's but by its own wish.
    function checkDestinations() external view {
        for (uint256 p = 0; p < places.length; ++p) {
            if (isVault(places[p])) continue;
            for (uint256 t = 0; t < tokens.length; ++t) {
                uint256 all = 0;
                for (uint256 i = 0; i < 3; ++i) {
                    all += paid[i][places[p]][tokens[t]];
                }
                check(balanceOf(tokens[t], places[p]) == all, "I2: a destination got what no vault paid it");
            }
        }
    }

    function checkFees() external view {
        for (uint256 t = 0; t < tokens.length; ++t) {
            check(feesTaken[tokens[t]] <= feesAllowed[tokens[t]], "I3: fees above the rate");
        }
    }

    function checkWindows() external view {
        for (uint256 i = 0; i < 3; ++i) {
            for (uint256 t = 0; t < tokens.length; ++t) {
                (uint104 cap, uint104 spent, uint40 since,) = clients[i].vault.limits(tokens[t]);
                Box memory box = caps[i][tokens[t]];
                check(cap == box.cap && spent == box.spent && since == box.since, "I5: the window is not the model's");
            }
            for (uint256 p = 0; p < places.length; ++p) {
                check(clients[i].vault.destinations(places[p]) == activeFrom[i][places[p]], "I4: not the model's list");
            }
            (uint40 readyAt,,) = clients[i].vault.gate();
            check(readyAt == exitReadyAt[i], "I9: the exit clock is not the model's");
        }
    }

    function checkCode() external view {
        address implementation = factory.vaultImplementation();
        check(implementation.balance == 0, "I11: the implementation holds ether");
        bytes32 code = keccak256(
            abi.encodePacked(hex"5f5f3615602f57365f5f37365f73", implementation, hex"5af43d5f5f3e5f3d91602f57fd5bf3")
        );
        for (uint256 i = 0; i < 3; ++i) {
            check(address(clients[i].vault).codehash == code, "I12: the code of a vault changed");
        }
    }

    function checkAllowances() external view {
        for (uint256 i = 0; i < 3; ++i) {
            for (uint256 t = 1; t < tokens.length; ++t) {
                for (uint256 p = 0; p < places.length; ++p) {
                    uint256 allowed = TollAsset(tokens[t]).allowance(address(clients[i].vault), places[p]);
                    check(allowed == 0, "I13: a vault allowed a spender");
                }
            }
        }
    }

    /// @dev Whatever was done: at its time every token leaves to the exit destination. Undone by the caller.
    function checkExits() external {
        for (uint256 i = 0; i < 3; ++i) {
            if (exitReadyAt[i] == 0) continue;
            if (block.timestamp < exitReadyAt[i]) vm.warp(exitReadyAt[i]);
            for (uint256 t = 0; t < tokens.length; ++t) {
                uint256 amount = balanceOf(tokens[t], address(clients[i].vault));
                if (amount == 0) continue;
                uint256 before = balanceOf(tokens[t], exitDestination[i]);
                clients[i].vault.exit(clients[i].config, tokens[t]);
                check(balanceOf(tokens[t], exitDestination[i]) > before || amount < 10, "I9: the exit paid nothing");
            }
        }
    }
}
