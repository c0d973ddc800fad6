// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Fee, OneOff, Payment, Withdrawal, WithdrawalBatch} from "../sources/vault/VaultMessages.sol";
import {Side} from "../sources/vault/VaultTypes.sol";
import {CallingAsset, TollAsset} from "./OddAssets.sol";
import {Typed} from "./Typed.sol";
import {VaultModel} from "./VaultModel.sol";

/// @notice What comes in, and what the custodian does. Each action says what must come of it, and counts how often it went
/// through. One that never did is helped the first time: a pause is waited for, an exit taken back, money brought. So
/// each goes through in every sequence that has it, whatever the seed.
abstract contract CustodianHandler is VaultModel {
    struct Sent {
        uint256 client;
        bytes call;
    }

    struct Waiting {
        uint256 client;
        bytes32 message;
        bytes execution;
        uint256 queuedAt;
        uint256 readyAt;
        bool done;
        // What it does, by kind: 1 limit, 2 exit destination, 3 key.
        uint256 kind;
        bytes content;
    }

    mapping(string action => uint256) public successes;
    Sent[] internal sent;
    Waiting[] internal waiting;

    // Money comes.

    function deposit(uint256 seed, uint256 amount) external {
        (uint256 i, address token) = pick(seed);
        bring(i, token, clamp(amount, 1, 50 ether));
        ++successes["deposit"];
    }

    // The custodian.

    function pay(uint256 seed, uint256 place, uint256 amount) external {
        if (successes["pay"] == 0) {
            (uint256 i, address token) = pickLively(seed);
            help(i, token);
            payTo(i, token, clients[i].listed, 1);
        } else if (successes["pay unlisted"] == 0) {
            (, address token) = pick(seed);
            help(2, token);
            payTo(2, token, address(uint160(uint256(keccak256(abi.encode("unlisted", seed))))), 1);
        } else {
            (uint256 i, address token) = pickLively(seed);
            payTo(i, token, placeFor(i, place), clamp(amount, 0, 30 ether));
        }
    }

    function payTo(uint256 i, address token, address to, uint256 amount) private {
        Withdrawal memory m = withdrawal(token, to, amount);
        bool wanted = mayPay(i, token, to, amount);
        (, uint104 spentBefore,,) = clients[i].vault.limits(token);
        arm(i, token);
        bool ok = send(i, abi.encodeCall(clients[0].vault.pay, (clients[i].config, m, byQuorum(clients[i], Typed.hash(m)))));
        check(ok == wanted, wanted ? "a payment within the policy was refused" : "I4: a payment outside of the policy");
        check(clients[i].vault.nonceUsed(Side.Quorum, m.nonce) == ok, "I14: the nonce of a failed payment");
        if (ok) {
            if (!isActive(i, to)) ++successes["pay unlisted"];
            notePaid(i, token, to, amount);
            ++successes["pay"];
        } else {
            (, uint104 spentAfter,,) = clients[i].vault.limits(token);
            check(spentAfter == spentBefore, "I14: the limit after a failed payment");
        }
    }

    function payBatch(uint256 seed, uint256 place, uint256 amount) external {
        (uint256 i, address token) = pickLively(seed);
        bool first = successes["pay batch"] == 0;
        if (first) help(i, token);
        address to = first ? clients[i].listed : placeFor(i, place);
        amount = clamp(amount, 1, first ? 2 : 10 ether);
        WithdrawalBatch memory m = WithdrawalBatch(new Payment[](2), nextNonce(), soon());
        m.payments[0] = payment(token, clients[i].listed, amount);
        m.payments[1] = payment(token, to, amount);
        // Twice the amount must fit at once, and each payment must be allowed.
        bool wanted = mayPay(i, token, clients[i].listed, 2 * amount) && mayPay(i, token, to, amount)
            || mayPay(i, token, clients[i].listed, amount) && mayPay(i, token, to, 2 * amount);
        bool ok =
            send(i, abi.encodeCall(clients[0].vault.payBatch, (clients[i].config, m, byQuorum(clients[i], Typed.hash(m)))));
        if (!ok) {
            check(!wanted, "a batch within the policy was refused");
            return;
        }
        check(allowed(i, token, clients[i].listed, amount), "I4: the first of a batch");
        notePaid(i, token, clients[i].listed, amount);
        check(allowed(i, token, to, amount), "I4: the second of a batch");
        notePaid(i, token, to, amount);
        ++successes["pay batch"];
    }

    function payOnce(uint256 seed, uint256 place, uint256 amount) external {
        (uint256 i, address token) = pickLively(seed);
        address to = places[place % places.length];
        bool first = successes["pay once"] == 0;
        if (first) {
            help(i, token);
            to = stranger;
        }
        OneOff memory m = oneOff(token, to, clamp(amount, 1, first ? 1 : 40 ether));
        bool wanted = !stopped(i) && m.amount <= balanceOf(token, address(clients[i].vault))
            && to != address(clients[i].vault);
        bytes memory signatures = byQuorum(clients[i], Typed.hash(m));
        bytes memory clientSignature = byClient(clients[i], Typed.hash(m));
        bytes memory call = abi.encodeCall(clients[0].vault.payOnce, (clients[i].config, m, signatures, clientSignature));
        bool ok = send(i, call);
        check(ok == wanted, "a one-off with both keys");
        if (!ok) return;
        noteLeft(i, token, to, m.amount);
        ++successes["pay once"];
    }

    function collectFee(uint256 seed, uint256 amount) external {
        (uint256 i, address token) = pickLively(seed);
        bool helped = successes["fee"] == 0;
        if (helped) {
            help(i, token);
            // So much that a second of the fee is more than nothing.
            bring(i, token, 50 ether);
        }
        uint256 most = feeMost(i, token);
        Fee memory m = Fee(token, helped ? most : clamp(amount, 0, most + most / 4), nextNonce(), soon());
        bool wanted = !stopped(i) && m.amount <= most;
        bytes memory signatures = byQuorum(clients[i], Typed.hash(m));
        bool ok = send(i, abi.encodeCall(clients[0].vault.collectFee, (clients[i].config, m, signatures)));
        check(ok == wanted, "I3: a fee is at most pro rata");
        if (!ok) return;
        bool first = feeSince[i][token] == 0;
        feeSince[i][token] = block.timestamp;
        feesAllowed[token] += most;
        feesTaken[token] += m.amount;
        if (m.amount != 0) {
            noteLeft(i, token, operator, m.amount);
            ++successes["fee"];
        }
        if (!first) return;
        pass(1 days);
        this.collectFee(seed, amount);
    }

    function feeMost(uint256 i, address token) private view returns (uint256) {
        uint256 since = feeSince[i][token];
        if (since == 0) return 0;
        uint256 elapsed = block.timestamp - since > 31 days ? 31 days : block.timestamp - since;
        return balanceOf(token, address(clients[i].vault)) * FEE_BPS * elapsed / (10_000 * 365 days);
    }

    function giveHeartbeat() external {
        heartbeat();
        ++successes["heartbeat"];
    }

    // Inside.

    function bring(uint256 i, address token, uint256 amount) internal {
        address vault = address(clients[i].vault);
        if (token == ETH) {
            vm.deal(address(this), amount);
            (bool ok,) = vault.call{value: amount, gas: 0}("");
            check(ok, "a deposit of ether was refused");
        } else {
            TollAsset(token).mint(vault, amount);
        }
        arrived[i][token] += amount;
    }

    /// @dev Whatever was done before: this vault pays, has something to pay, and its cap has room.
    function help(uint256 i, address token) internal {
        wake(i);
        bring(i, token, 10);
        pass(WINDOW);
    }

    /// @dev Takes an exit back and waits for pauses.
    function wake(uint256 i) internal virtual;

    function pick(uint256 seed) internal view returns (uint256 client, address token) {
        return (seed % 3, tokens[(seed >> 32) % tokens.length]);
    }

    /// @dev Mostly one whose vault pays at all, else most would be refused for the same reason.
    function pickLively(uint256 seed) internal view returns (uint256 client, address token) {
        (client, token) = pick(seed);
        for (uint256 k = 0; k < 3 && stopped(client) && seed % 8 != 0; ++k) {
            client = (client + 1) % 3;
        }
    }

    function pickWithoutExit(uint256 seed) internal view returns (uint256 client) {
        client = seed % 3;
        for (uint256 k = 0; k < 3 && exitReadyAt[client] != 0 && seed % 8 != 0; ++k) {
            client = (client + 1) % 3;
        }
    }

    /// @dev Mostly a client's own, sometimes anybody's.
    function placeFor(uint256 i, uint256 place) internal view returns (address) {
        if (place % 4 == 0) return places[(place >> 8) % places.length];
        return places[3 * i + (place >> 8) % 2];
    }

    /// @dev The token that calls back does so with what was signed last.
    function arm(uint256 i, address token) private {
        if (token != tokens[3] || sent.length == 0) return;
        CallingAsset(token).callBack(address(clients[i].vault), sent[sent.length - 1].call);
    }

    function send(uint256 i, bytes memory call) internal returns (bool ok) {
        (ok,) = address(clients[i].vault).call(call);
        if (ok) sent.push(Sent(i, call));
    }
}
