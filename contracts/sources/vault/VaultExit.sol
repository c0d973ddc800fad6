// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Assets} from "./Assets.sol";
import {
    ExitCancellation,
    ExitDestinationChange,
    ExitRequest,
    KeyRotation,
    Pause,
    VaultMessages,
    Veto
} from "./VaultMessages.sol";
import {VaultAgreements} from "./VaultAgreements.sol";
import {VaultPolicy} from "./VaultPolicy.sol";
import {VaultSigners} from "./VaultState.sol";
import {VaultTerms} from "./VaultTerms.sol";
import {Side, VaultConfig} from "./VaultTypes.sol";

/// @notice The way out that the custodian can neither cancel nor pause nor outrun; who holds the two keys and where the
/// exit pays; veto and pause.
abstract contract VaultExit is VaultAgreements {
    /// The exit destination is neither zero nor the vault.
    error UnfitExitDestination(address to);

    /// The client key and the exit key are two, and none is zero.
    error UnfitKey(bytes32 key);

    error NothingToExit(address token);

    /// @notice Starts the exit: from now on no payment, no fee, no change. By the exit key alone.
    function requestExit(VaultConfig calldata config, ExitRequest calldata message, bytes calldata signature)
        external
        bound(config)
    {
        authorise(config, Side.ExitKey, VaultMessages.hash(message), message.nonce, message.deadline, signature);
        uint40 readyAt =
            VaultPolicy.requestExit(gate.exitReadyAt, VaultTerms.exitDelay(config.terms), block.timestamp);
        gate.exitReadyAt = readyAt;
        emit ExitRequested(readyAt);
    }

    /// @notice Ends the exit, and with it the freeze. By the exit key alone: the custodian cannot.
    function cancelExit(VaultConfig calldata config, ExitCancellation calldata message, bytes calldata signature)
        external
        bound(config)
    {
        authorise(config, Side.ExitKey, VaultMessages.hash(message), message.nonce, message.deadline, signature);
        require(gate.exitReadyAt != 0, VaultPolicy.NoExit());
        gate.exitReadyAt = 0;
        emit ExitCancelled();
    }

    /// @notice Opens the exit at once when the signer set has been silent for longer than the heartbeat period. Anybody may.
    function openExit(VaultConfig calldata config) external bound(config) {
        uint256 lastHeartbeat = VaultSigners(config.signerSet).lastHeartbeat();
        uint256 period = VaultTerms.heartbeatPeriod(config.terms);
        gate.exitReadyAt = VaultPolicy.openExit(gate.exitReadyAt, lastHeartbeat, period, block.timestamp);
        emit ExitOpened(lastHeartbeat);
    }

    /// @notice Pays the whole balance of one token to the exit destination in force. Anybody may, for ever: one token
    /// that its issuer froze does not hold up the others.
    function exit(VaultConfig calldata config, address token) external bound(config) {
        VaultPolicy.requireExitReady(gate.exitReadyAt, block.timestamp);
        address to = exitDestinationOf(config);
        uint256 amount = Assets.balanceOf(token, address(this));
        require(amount != 0, NothingToExit(token));
        emit Exited(token, to, amount);
        Assets.send(token, to, amount);
    }

    /// @notice Queues another exit destination, for longer than an exit takes: whoever stole the client key is too late
    /// once the exit key asks for the exit.
    function queueExitDestination(
        VaultConfig calldata config,
        ExitDestinationChange calldata message,
        bytes calldata signature
    ) external bound(config) {
        requireNoExit();
        require(message.to != address(0) && message.to != address(this), UnfitExitDestination(message.to));
        bytes32 structHash = VaultMessages.hash(message);
        bytes32 change = authorise(config, Side.ClientKey, structHash, message.nonce, message.deadline, signature);
        uint40 readyAt = VaultPolicy.readyAtAfter(VaultTerms.exitChangeDelay(config.terms), block.timestamp);
        queued[change] = readyAt;
        emit ExitDestinationQueued(change, message.to, readyAt);
    }

    /// @notice Puts a queued exit destination in force, unless one that was queued later is. Anybody may.
    function executeExitDestination(VaultConfig calldata config, ExitDestinationChange calldata message)
        external
        bound(config)
    {
        requireNoExit();
        bytes32 change = VaultMessages.digest(VaultMessages.hash(message));
        uint256 delay = VaultTerms.exitChangeDelay(config.terms);
        exitDestinationQueuedAt = takeReady(change, delay, exitDestinationQueuedAt);
        newExitDestination = message.to;
        emit ExitDestinationChanged(message.to);
    }

    /// @notice Queues another client or exit key: by the old one, or, when it is lost, by the quorum for the longer
    /// recovery delay, in which both keys can veto.
    function queueKeyRotation(VaultConfig calldata config, KeyRotation calldata message, bytes calldata signature)
        external
        bound(config)
    {
        requireNoExit();
        require(message.role != Side.Quorum, WrongSide(message.role));
        require(message.side == Side.Quorum || message.side == message.role, WrongSide(message.side));
        requireFitKey(config, message.role, message.newKey);
        bytes32 structHash = VaultMessages.hash(message);
        bytes32 change = authorise(config, message.side, structHash, message.nonce, message.deadline, signature);
        uint40 readyAt = VaultPolicy.readyAtAfter(rotationDelay(config, message.side), block.timestamp);
        queued[change] = readyAt;
        emit KeyRotationQueued(change, message.side, message.role, message.newKey, readyAt);
    }

    /// @notice Puts a queued key in force, unless one that was queued later is. Anybody may.
    function executeKeyRotation(VaultConfig calldata config, KeyRotation calldata message) external bound(config) {
        requireNoExit();
        // Again, because the other role's key may have become this one meanwhile.
        requireFitKey(config, message.role, message.newKey);
        bytes32 change = VaultMessages.digest(VaultMessages.hash(message));
        keyQueuedAt[message.role] = takeReady(change, rotationDelay(config, message.side), keyQueuedAt[message.role]);
        newKeys[message.role] = message.newKey;
        emit KeyRotated(message.role, message.newKey);
    }

    /// @notice Takes a change out of the queue for good: its nonce is used. By the client key or the exit key, at once.
    function veto(VaultConfig calldata config, Veto calldata message, bytes calldata signature)
        external
        bound(config)
    {
        require(message.side != Side.Quorum, WrongSide(message.side));
        bytes32 structHash = VaultMessages.hash(message);
        authorise(config, message.side, structHash, message.nonce, message.deadline, signature);
        require(queued[message.change] != 0, VaultPolicy.NotQueued(message.change));
        delete queued[message.change];
        emit Vetoed(message.change, message.side);
    }

    /// @notice Stops payments and fees for the agreed time, at once, by the quorum or the client key. Never the exit.
    function pause(VaultConfig calldata config, Pause calldata message, bytes calldata signature)
        external
        bound(config)
    {
        require(message.side != Side.ExitKey, WrongSide(message.side));
        bytes32 structHash = VaultMessages.hash(message);
        authorise(config, message.side, structHash, message.nonce, message.deadline, signature);
        bool byQuorum = message.side == Side.Quorum;
        uint256 pausedUntil = byQuorum ? gate.quorumPauseUntil : gate.clientPauseUntil;
        uint40 until = VaultPolicy.pause(pausedUntil, VaultTerms.pauseSeconds(config.terms), block.timestamp);
        if (byQuorum) gate.quorumPauseUntil = until;
        else gate.clientPauseUntil = until;
        emit Paused(message.side, until);
    }

    function rotationDelay(VaultConfig calldata config, Side side) private pure returns (uint256) {
        return side == Side.Quorum ? VaultTerms.recoveryDelay(config.terms) : VaultTerms.changeDelay(config.terms);
    }

    function requireFitKey(VaultConfig calldata config, Side role, bytes32 key) private view {
        Side other = role == Side.ClientKey ? Side.ExitKey : Side.ClientKey;
        require(key != 0 && key != keyOf(config, other), UnfitKey(key));
    }
}
