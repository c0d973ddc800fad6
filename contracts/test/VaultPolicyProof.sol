// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {VaultPolicy} from "../sources/vault/VaultPolicy.sol";

// What the policy promises, for SMTChecker: every assertion here and in `VaultPolicy` holds for all inputs. Nobody deploys
// these contracts. Each function takes any state and makes one step, or two where the promise is about two. Delays are of
// 32 bits and times of 40, as in a vault. One contract for each promise, so that a solver is asked little at once.

/// @notice Proofs of the limit window.
contract VaultLimitProof {
    /// What leaves in one window, however many payments, is at most the cap in force at the last of them: what was spent
    /// in it is never forgotten, and a new one begins only when its time is over.
    function limitHolds(uint104 cap, uint104 spent, uint40 since, uint256 amount, uint32 windowSeconds, uint40 time)
        external
        pure
    {
        (uint256 spentNow, uint256 sinceNow) = VaultPolicy.spend(cap, spent, since, amount, windowSeconds, time);
        assert(spentNow <= cap);
        if (time < uint256(since) + windowSeconds) {
            assert(sinceNow == since && spentNow == uint256(spent) + amount);
        } else {
            assert(sinceNow == time && spentNow == amount);
        }
    }

    function nothingAboveTheCap(uint104 cap, uint104 spent, uint40 since, uint256 amount, uint32 windowSeconds, uint40 time)
        external
        pure
    {
        require(amount > cap);
        VaultPolicy.spend(cap, spent, since, amount, windowSeconds, time);
        assert(false);
    }
}

/// @notice Proofs of the fee.
contract VaultFeeProof {
    /// A fee is never more than the balance, and time beyond 31 days adds nothing.
    function feeHolds(uint96 balance, uint16 feeBpsYear, uint40 elapsed, uint40 later) external pure {
        require(feeBpsYear <= 1_000);
        uint256 fee = VaultPolicy.feeMax(balance, feeBpsYear, elapsed);
        assert(fee <= balance);
        if (elapsed >= 31 days && later >= elapsed) assert(VaultPolicy.feeMax(balance, feeBpsYear, later) == fee);
    }

    function noFeeWithoutTime(uint96 balance, uint16 feeBpsYear) external pure {
        assert(VaultPolicy.feeMax(balance, feeBpsYear, 0) == 0);
    }
}

/// @notice Proofs of the exit clock.
contract VaultExitProof {
    /// A requested exit is ready after exactly its delay.
    function exitClockRuns(uint32 exitDelay, uint40 time, uint40 later) external pure {
        uint256 readyAt = VaultPolicy.requestExit(0, exitDelay, time);
        assert(readyAt == uint256(time) + exitDelay);
        VaultPolicy.requireExitReady(readyAt, later);
        assert(later >= uint256(time) + exitDelay);
    }

    /// A clock that runs is not moved by another request.
    function exitClockIsNotMoved(uint40 readyAt, uint32 exitDelay, uint40 time) external pure {
        require(readyAt != 0);
        VaultPolicy.requestExit(readyAt, exitDelay, time);
        assert(false);
    }

    /// An exit that is not ready does not pay.
    function exitWaits(uint40 readyAt, uint40 time) external pure {
        require(time < readyAt || readyAt == 0);
        VaultPolicy.requireExitReady(readyAt, time);
        assert(false);
    }

    /// Silence opens an exit now, and never delays one.
    function silenceOpens(uint40 readyAt, uint40 lastHeartbeat, uint32 period, uint40 time) external pure {
        uint256 next = VaultPolicy.openExit(readyAt, lastHeartbeat, period, time);
        assert(next == time);
        assert(time - lastHeartbeat > period);
        assert(readyAt == 0 || next < readyAt);
    }

    /// While any exit is asked for or open, nothing else goes on.
    function exitFreezes(uint40 readyAt) external pure {
        require(readyAt != 0);
        VaultPolicy.requireNoExit(readyAt);
        assert(false);
    }
}

/// @notice Proofs of the queue.
contract VaultQueueProof {
    /// A change executes from the time that was fixed when it was queued, and not a second before.
    function queueWaits(bytes32 change, uint32 delay, uint40 time, uint40 later) external pure {
        require(delay != 0);
        uint256 readyAt = VaultPolicy.readyAtAfter(delay, time);
        VaultPolicy.requireReady(change, readyAt, later);
        assert(later >= uint256(time) + delay);
    }

    /// What was queued before the change in force is void, whenever it is executed.
    function laterStays(bytes32 change, uint40 readyAt, uint32 delay, uint256 since) external pure {
        uint256 queuedAt = VaultPolicy.requireNewest(change, readyAt, delay, since);
        assert(queuedAt == uint256(readyAt) - delay);
        assert(queuedAt > since);
    }

    function nothingQueuedNothingDone(bytes32 change, uint40 time) external pure {
        VaultPolicy.requireReady(change, 0, time);
        assert(false);
    }
}

/// @notice Proofs of the pause.
contract VaultPauseProof {
    /// A pause ends after its time.
    function pauseEnds(uint40 pausedUntil, uint32 pauseSeconds, uint40 time) external pure {
        uint256 until = VaultPolicy.pause(pausedUntil, pauseSeconds, time);
        assert(until == uint256(time) + pauseSeconds);
    }

    /// The next one of the same side begins as long after the end of the last as it takes itself.
    function pauseWaits(uint40 pausedUntil, uint32 pauseSeconds, uint40 time) external pure {
        require(pausedUntil != 0);
        VaultPolicy.pause(pausedUntil, pauseSeconds, time);
        assert(time >= uint256(pausedUntil) + pauseSeconds);
    }

    /// Nothing is paid while it lasts.
    function pauseHolds(uint40 pausedUntil, uint40 time) external pure {
        VaultPolicy.requireNoPause(pausedUntil, time);
        assert(time >= pausedUntil);
    }
}
