// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice The arithmetic of a vault: limit window, fee, exit clock, queue, pause. Times are unix seconds.
/// @dev No assembly, no storage, no calls, so that SMTChecker can prove the assertions for all inputs; and the
/// TypeScript model of the same rules is compared with it function by function.
library VaultPolicy {
    /// The fee clock counts at most this: what was not collected for longer is not owed.
    uint256 internal constant FEE_SECONDS_MAX = 31 days;

    /// What a yearly rate in hundredths of a percent is divided by.
    uint256 internal constant FEE_DIVISOR = 10_000 * 365 days;

    /// `amount` does not fit into what the window still has.
    error AboveLimit(uint256 amount, uint256 spent, uint256 cap);

    /// An exit was requested: only it goes on.
    error ExitPending(uint256 readyAt);

    /// There is no exit to cancel or to execute.
    error NoExit();

    /// The exit is not open before `readyAt`.
    error ExitNotReady(uint256 readyAt, uint256 time);

    /// The signer set spoke less than the heartbeat period ago.
    error CustodianAlive(uint256 lastHeartbeat, uint256 period, uint256 time);

    /// Nothing is queued under this digest: never was, was vetoed, or was executed.
    error NotQueued(bytes32 change);

    /// The change executes from `readyAt`.
    error NotReady(bytes32 change, uint256 readyAt, uint256 time);

    /// What came later was decided since this change was queued: it is void.
    error Overtaken(bytes32 change, uint256 since);

    /// This side paused too recently.
    error PauseTooSoon(uint256 allowedFrom, uint256 time);

    /// A time that does not fit into forty bits; the year 36812.
    error BeyondTime(uint256 time);

    /// Payments stand still until then.
    error PausedUntil(uint256 until, uint256 time);

    /// @notice Counts `amount` into the window, a new one if `windowSeconds` have passed since it began.
    /// @dev Windows do not slide. Any one window lets at most the cap through; any stretch of `windowSeconds` touches at
    /// most two windows, so at most twice the cap.
    /// @param spent what left since `since`
    function spend(
        uint256 cap,
        uint256 spent,
        uint256 since,
        uint256 amount,
        uint256 windowSeconds,
        uint256 time
    ) internal pure returns (uint256 spentNow, uint256 sinceNow) {
        bool fresh = time >= since + windowSeconds;
        uint256 before = fresh ? 0 : spent;
        // Written without a sum, so that no amount overflows; a cap lowered beneath what is spent leaves nothing.
        require(before <= cap && amount <= cap - before, AboveLimit(amount, before, cap));
        spentNow = before + amount;
        sinceNow = fresh ? time : since;
        assert(spentNow <= cap);
        assert(fresh || spentNow >= spent);
    }

    /// @notice The most that may be collected from a balance after `elapsed` seconds.
    /// @dev Rounded down. The balance is that of now: a deposit shortly before a collection is charged as if it had lain
    /// there all the time, at most 31 days of the yearly rate.
    function feeMax(uint256 balance, uint256 feeBpsYear, uint256 elapsed) internal pure returns (uint256 fee) {
        uint256 counted = elapsed < FEE_SECONDS_MAX ? elapsed : FEE_SECONDS_MAX;
        fee = (balance * feeBpsYear * counted) / FEE_DIVISOR;
    }

    /// @notice The time from which a change may be executed; fixed here and never moved.
    function readyAtAfter(uint256 delay, uint256 time) internal pure returns (uint40 readyAt) {
        uint256 sum = time + delay;
        require(sum <= type(uint40).max, BeyondTime(sum));
        readyAt = uint40(sum);
        assert(readyAt >= time);
    }

    /// @notice Reverts unless a queued change is ready.
    function requireReady(bytes32 change, uint256 readyAt, uint256 time) internal pure {
        require(readyAt != 0, NotQueued(change));
        require(readyAt <= time, NotReady(change, readyAt, time));
    }

    /// @notice When a change was queued. It is void if what it changes was changed by something queued later, or was
    /// tightened since: whoever executes chooses when, but not which of two changes stays.
    function requireNewest(bytes32 change, uint256 readyAt, uint256 delay, uint256 since)
        internal
        pure
        returns (uint256 queuedAt)
    {
        queuedAt = readyAt - delay;
        require(queuedAt > since, Overtaken(change, since));
    }

    /// @notice Starts the exit clock. A clock that runs is neither stopped nor started anew.
    function requestExit(uint256 exitReadyAt, uint256 exitDelay, uint256 time) internal pure returns (uint40 readyAt) {
        requireNoExit(exitReadyAt);
        readyAt = readyAtAfter(exitDelay, time);
    }

    /// @notice Opens the exit at once after the custodian's silence; can only bring it forward.
    function openExit(uint256 exitReadyAt, uint256 lastHeartbeat, uint256 period, uint256 time)
        internal
        pure
        returns (uint40 readyAt)
    {
        require(time > lastHeartbeat + period, CustodianAlive(lastHeartbeat, period, time));
        require(exitReadyAt == 0 || exitReadyAt > time, ExitPending(exitReadyAt));
        readyAt = readyAtAfter(0, time);
        assert(exitReadyAt == 0 || readyAt < exitReadyAt);
    }

    function requireNoExit(uint256 exitReadyAt) internal pure {
        require(exitReadyAt == 0, ExitPending(exitReadyAt));
    }

    function requireExitReady(uint256 exitReadyAt, uint256 time) internal pure {
        require(exitReadyAt != 0, NoExit());
        require(exitReadyAt <= time, ExitNotReady(exitReadyAt, time));
    }

    /// @notice When a pause of now ends. The same side waits as long again after it, so that one side alone stops
    /// payments for at most half of the time.
    function pause(uint256 pausedUntil, uint256 pauseSeconds, uint256 time) internal pure returns (uint40 until) {
        uint256 allowedFrom = pausedUntil == 0 ? 0 : pausedUntil + pauseSeconds;
        require(time >= allowedFrom, PauseTooSoon(allowedFrom, time));
        until = readyAtAfter(pauseSeconds, time);
        assert(pausedUntil == 0 || time - pausedUntil >= uint256(until) - time);
    }

    function requireNoPause(uint256 pausedUntil, uint256 time) internal pure {
        require(time >= pausedUntil, PausedUntil(pausedUntil, time));
    }
}
