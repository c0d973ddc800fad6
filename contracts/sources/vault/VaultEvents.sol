// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Side} from "./VaultTypes.sol";

/// @notice Everything a vault tells. Each outflow has exactly one of `Withdrawn`, `FeeCollected` with an amount, and
/// `Exited`, so that chain data alone says what left, where to and by what right.
interface VaultEvents {
    /// `authority` 1: to an agreed destination; 2: to an unlisted address of an omnibus; 3: one-off, with the client key.
    event Withdrawn(
        address indexed token, address indexed to, uint256 amount, uint256 nonce, uint8 authority
    );
    /// The fee of the time from `from` to `to`. The first one of a token has amount 0 and `from` 0: it starts the clock.
    event FeeCollected(address indexed token, uint256 amount, uint256 nonce, uint256 from, uint256 to);
    event Exited(address indexed token, address indexed to, uint256 amount);
    event NonceInvalidated(uint256 nonce);

    event PolicyOpened();
    event DestinationAdded(address indexed to, uint256 activeFrom);
    event DestinationRemoved(address indexed to, Side side);
    event LimitQueued(
        bytes32 indexed change, address indexed token, uint256 cap, bool unlisted, uint256 readyAt
    );
    event LimitSet(address indexed token, uint256 cap, bool unlisted);
    event ExitDestinationQueued(bytes32 indexed change, address to, uint256 readyAt);
    event ExitDestinationChanged(address to);
    event KeyRotationQueued(bytes32 indexed change, Side side, Side role, bytes32 newKey, uint256 readyAt);
    event KeyRotated(Side role, bytes32 newKey);
    event Vetoed(bytes32 indexed change, Side side);

    event Paused(Side side, uint256 until);
    event ExitRequested(uint256 readyAt);
    event ExitCancelled();
    /// Anybody opened the exit, because the signer set's last heartbeat was that long ago.
    event ExitOpened(uint256 lastHeartbeat);
}
