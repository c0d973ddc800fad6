// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DestinationAddition, DestinationRemoval, LimitLowering, LimitRaise, VaultMessages} from "./VaultMessages.sol";
import {VaultPolicy} from "./VaultPolicy.sol";
import {VaultState} from "./VaultState.sol";
import {VaultTerms} from "./VaultTerms.sol";
import {InitialPolicy, Limit, Side, VaultConfig, Window} from "./VaultTypes.sol";

/// @notice Where the quorum may pay to, and how much: what the client key agreed to. Loosening needs the client key and
/// a delay; tightening works at once, by either side.
abstract contract VaultAgreements is VaultState {
    /// The policy is not the one that the configuration commits to.
    error WrongPolicy(bytes32 policyHash);

    /// Only an omnibus pays unlisted addresses.
    error UnlistedForbidden();

    /// Zero, the vault itself, or a vault or forwarder of the same factory: never a destination.
    error UnfitDestination(address to);

    /// It is active or waiting already; `activeFrom` says since or from when.
    error AlreadyListed(address to, uint256 activeFrom);

    /// The exit key removes only what is not active yet.
    error NotPending(address to, uint256 activeFrom);

    /// A raise must be above the cap in force, a lowering below; of a limit that was never written only to zero.
    error WrongCap(uint256 cap, uint256 current);

    /// @notice Writes what the client agreed to from the start. Anybody may call it, any number of times: it writes only
    /// what was never written, so it undoes neither a removal nor a lowered limit.
    /// @dev Entries that cannot be destinations are left out rather than refused: one that turned out to be a vault
    /// must not keep the others closed.
    function openPolicy(VaultConfig calldata config, InitialPolicy calldata policy) external bound(config) {
        requireNoExit();
        bytes32 policyHash = keccak256(abi.encode(policy));
        require(policyHash == config.policyHash, WrongPolicy(policyHash));
        if (policy.unlisted.length != 0) requireOmnibus(config);
        for (uint256 i = 0; i < policy.destinations.length; ++i) {
            address to = policy.destinations[i];
            if (destinations[to] != 0 || !isFit(to)) continue;
            destinations[to] = uint64(block.timestamp);
            emit DestinationAdded(to, block.timestamp);
        }
        for (uint256 i = 0; i < policy.limits.length; ++i) {
            openLimit(policy.limits[i], false);
        }
        for (uint256 i = 0; i < policy.unlisted.length; ++i) {
            openLimit(policy.unlisted[i], true);
        }
        emit PolicyOpened();
    }

    /// @notice Lists a destination from the end of the change delay on, which is fixed now.
    function addDestination(
        VaultConfig calldata config,
        DestinationAddition calldata message,
        bytes calldata signature
    ) external bound(config) {
        requireNoExit();
        bytes32 structHash = VaultMessages.hash(message);
        authorise(config, Side.ClientKey, structHash, message.nonce, message.deadline, signature);
        uint64 current = destinations[message.to];
        require(current == 0 || current == REMOVED, AlreadyListed(message.to, current));
        require(isFit(message.to), UnfitDestination(message.to));
        uint64 activeFrom = VaultPolicy.readyAtAfter(VaultTerms.changeDelay(config.terms), block.timestamp);
        destinations[message.to] = activeFrom;
        emit DestinationAdded(message.to, activeFrom);
    }

    /// @notice Removes a destination at once, listed or not: what the initial policy names stays closed too. The exit
    /// key may remove only what is not active yet: its veto against a stolen client key.
    function removeDestination(
        VaultConfig calldata config,
        DestinationRemoval calldata message,
        bytes calldata signature
    ) external bound(config) {
        bytes32 structHash = VaultMessages.hash(message);
        authorise(config, message.side, structHash, message.nonce, message.deadline, signature);
        if (message.side == Side.ExitKey) {
            uint64 activeFrom = destinations[message.to];
            require(activeFrom > block.timestamp && activeFrom != REMOVED, NotPending(message.to, activeFrom));
        }
        destinations[message.to] = REMOVED;
        emit DestinationRemoved(message.to, message.side);
    }

    /// @notice Queues a higher cap.
    function queueLimitRaise(VaultConfig calldata config, LimitRaise calldata message, bytes calldata signature)
        external
        bound(config)
    {
        requireNoExit();
        if (message.unlisted) requireOmnibus(config);
        bytes32 structHash = VaultMessages.hash(message);
        bytes32 change = authorise(config, Side.ClientKey, structHash, message.nonce, message.deadline, signature);
        uint40 readyAt = VaultPolicy.readyAtAfter(VaultTerms.changeDelay(config.terms), block.timestamp);
        queued[change] = readyAt;
        emit LimitQueued(change, message.token, message.cap, message.unlisted, readyAt);
    }

    /// @notice Puts a queued cap in force. Anybody may.
    function executeLimitRaise(VaultConfig calldata config, LimitRaise calldata message) external bound(config) {
        requireNoExit();
        bytes32 change = VaultMessages.digest(VaultMessages.hash(message));
        takeReady(change, VaultTerms.changeDelay(config.terms), loweredAt[message.token][message.unlisted]);
        Window storage window = windowOf(message.token, message.unlisted);
        require(message.cap > window.cap, WrongCap(message.cap, window.cap));
        setCap(window, message.token, message.cap, message.unlisted);
    }

    /// @notice Lowers a cap at once, and voids the raises of it that are queued.
    function lowerLimit(VaultConfig calldata config, LimitLowering calldata message, bytes calldata signature)
        external
        bound(config)
    {
        require(message.side != Side.ExitKey, WrongSide(message.side));
        bytes32 structHash = VaultMessages.hash(message);
        authorise(config, message.side, structHash, message.nonce, message.deadline, signature);
        Window storage window = windowOf(message.token, message.unlisted);
        // A limit that was never written has no cap to go below: any number could be more than the policy will say.
        bool lower = window.written ? message.cap < window.cap : message.cap == 0;
        require(lower, WrongCap(message.cap, window.cap));
        loweredAt[message.token][message.unlisted] = VaultPolicy.readyAtAfter(0, block.timestamp);
        setCap(window, message.token, message.cap, message.unlisted);
    }

    /// @dev Takes a change out of the queue, once, when it is ready, and says when it was queued.
    function takeReady(bytes32 change, uint256 delay, uint256 since) internal returns (uint40 queuedAt) {
        uint256 readyAt = queued[change];
        VaultPolicy.requireReady(change, readyAt, block.timestamp);
        // No later than a time of 40 bits.
        queuedAt = uint40(VaultPolicy.requireNewest(change, readyAt, delay, since));
        delete queued[change];
    }

    function openLimit(Limit calldata limit, bool unlisted) private {
        Window storage window = windowOf(limit.token, unlisted);
        if (!window.written) setCap(window, limit.token, limit.cap, unlisted);
    }

    function setCap(Window storage window, address token, uint104 cap, bool unlisted) private {
        window.cap = cap;
        window.written = true;
        emit LimitSet(token, cap, unlisted);
    }

    function windowOf(address token, bool unlisted) private view returns (Window storage) {
        return unlisted ? unlistedLimits[token] : limits[token];
    }

    function requireOmnibus(VaultConfig calldata config) private pure {
        require(VaultTerms.kind(config.terms) == VaultTerms.OMNIBUS, UnlistedForbidden());
    }
}
