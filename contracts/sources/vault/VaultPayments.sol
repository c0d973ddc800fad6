// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Assets} from "./Assets.sol";
import {Fee, Invalidation, OneOff, Payment, VaultMessages, Withdrawal, WithdrawalBatch} from "./VaultMessages.sol";
import {VaultPolicy} from "./VaultPolicy.sol";
import {VaultState} from "./VaultState.sol";
import {VaultTerms} from "./VaultTerms.sol";
import {Gate, Side, VaultConfig, Window} from "./VaultTypes.sol";

/// @notice What the quorum can do with the assets: pay agreed destinations within the caps, pay any address together
/// with the client key, collect the capped fee. A call either does all it says or nothing.
abstract contract VaultPayments is VaultState {
    uint8 private constant LISTED = 1;
    uint8 private constant UNLISTED = 2;
    uint8 private constant ONE_OFF = 3;

    /// `to` is not active: it is from `activeFrom`, which is 0 if nobody listed it and the highest number if removed.
    error NotADestination(address to, uint256 activeFrom);

    /// Zero, the vault itself, or another vault or forwarder of the same factory.
    error ForbiddenDestination(address to);

    error NothingToPay();
    error FeeAboveMax(uint256 amount, uint256 feeMax);

    /// @notice Pays one destination.
    function pay(VaultConfig calldata config, Withdrawal calldata message, bytes calldata signatures)
        external
        bound(config)
    {
        requirePaying();
        bytes32 structHash = VaultMessages.hash(message);
        authorise(config, Side.Quorum, structHash, message.nonce, message.deadline, signatures);
        (address token, address to, uint256 amount) = VaultMessages.read(message);
        count(config, limits[token], amount);
        payByQuorum(config, token, to, amount, message.nonce);
    }

    /// @notice Pays many destinations, or none.
    function payBatch(VaultConfig calldata config, WithdrawalBatch calldata message, bytes calldata signatures)
        external
        bound(config)
    {
        requirePaying();
        bytes32 structHash = VaultMessages.hash(message);
        authorise(config, Side.Quorum, structHash, message.nonce, message.deadline, signatures);
        payAll(config, message.payments, message.nonce);
    }

    /// @notice Pays any address any amount, with the quorum and the client key over the same digest.
    function payOnce(
        VaultConfig calldata config,
        OneOff calldata message,
        bytes calldata signatures,
        bytes calldata clientSignature
    ) external bound(config) {
        requirePaying();
        bytes32 structHash = VaultMessages.hash(message);
        bytes32 digest = authorise(config, Side.Quorum, structHash, message.nonce, message.deadline, signatures);
        requireKey(config, Side.ClientKey, digest, clientSignature);
        require(message.to != address(0) && message.to != address(this), ForbiddenDestination(message.to));
        payOut(message.token, message.to, message.amount, message.nonce, ONE_OFF);
    }

    /// @notice Pays the fee of the time since the last collection; the first call for a token starts its clock.
    function collectFee(VaultConfig calldata config, Fee calldata message, bytes calldata signatures)
        external
        bound(config)
    {
        requirePaying();
        bytes32 structHash = VaultMessages.hash(message);
        authorise(config, Side.Quorum, structHash, message.nonce, message.deadline, signatures);
        uint256 since = feeClocks[message.token];
        uint256 max = since == 0
            ? 0
            : VaultPolicy.feeMax(
                Assets.balanceOf(message.token, address(this)),
                VaultTerms.feeBpsYear(config.terms),
                block.timestamp - since
            );
        require(message.amount <= max, FeeAboveMax(message.amount, max));
        feeClocks[message.token] = VaultPolicy.readyAtAfter(0, block.timestamp);
        emit FeeCollected(message.token, message.amount, message.nonce, since, block.timestamp);
        if (message.amount != 0) Assets.send(message.token, config.feeReceiver, message.amount);
    }

    /// @notice Takes a nonce of the quorum, so that what was signed with it has no effect.
    function invalidate(VaultConfig calldata config, Invalidation calldata message, bytes calldata signatures)
        external
        bound(config)
    {
        authorise(config, Side.Quorum, VaultMessages.hash(message), message.nonce, message.deadline, signatures);
        emit NonceInvalidated(message.nonce);
    }

    function requirePaying() private view {
        Gate memory state = gate;
        VaultPolicy.requireNoExit(state.exitReadyAt);
        VaultPolicy.requireNoPause(state.quorumPauseUntil, block.timestamp);
        VaultPolicy.requireNoPause(state.clientPauseUntil, block.timestamp);
    }

    /// @dev The cap of a token is written once for each run of payments of that token, after them: nothing enters the
    /// vault meanwhile, and one that does not fit undoes all.
    function payAll(VaultConfig calldata config, Payment[] calldata payments, uint256 nonce) private {
        require(payments.length != 0, NothingToPay());
        address token = payments[0].token;
        uint256 run = 0;
        for (uint256 i = 0; i < payments.length; ++i) {
            (address next, address to, uint256 amount) = VaultMessages.read(payments[i]);
            if (next != token) {
                count(config, limits[token], run);
                (token, run) = (next, 0);
            }
            run += amount;
            payByQuorum(config, token, to, amount, nonce);
        }
        count(config, limits[token], run);
    }

    /// @dev Pays by the quorum alone: a destination that is active, or, from an omnibus and within its cap, another one.
    function payByQuorum(VaultConfig calldata config, address token, address to, uint256 amount, uint256 nonce)
        private
    {
        uint256 activeFrom = destinations[to];
        if (activeFrom != 0 && activeFrom <= block.timestamp) {
            payOut(token, to, amount, nonce, LISTED);
            return;
        }
        bool mayBeUnlisted = VaultTerms.kind(config.terms) == VaultTerms.OMNIBUS && activeFrom != REMOVED;
        require(mayBeUnlisted, NotADestination(to, activeFrom));
        require(isFit(to), ForbiddenDestination(to));
        count(config, unlistedLimits[token], amount);
        payOut(token, to, amount, nonce, UNLISTED);
    }

    function count(VaultConfig calldata config, Window storage window, uint256 amount) private {
        Window memory before = window;
        uint256 length = VaultTerms.windowSeconds(config.terms);
        (uint256 spent, uint256 since) =
            VaultPolicy.spend(before.cap, before.spent, before.since, amount, length, block.timestamp);
        // No more than the cap, and a time.
        window.spent = uint104(spent);
        window.since = uint40(since);
    }

    function payOut(address token, address to, uint256 amount, uint256 nonce, uint8 authority) private {
        require(amount != 0, NothingToPay());
        emit Withdrawn(token, to, amount, nonce, authority);
        Assets.send(token, to, amount);
    }
}
