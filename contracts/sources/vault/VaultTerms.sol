// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Terms, VaultConfig} from "./VaultTypes.sol";

/// @notice Reads the packed terms and holds the rules that every configuration obeys.
/// @dev The 32 bytes from the front: zero, kind (1), fee rate (2), then seven times four bytes of seconds: window, change
/// delay, recovery delay, exit delay, exit change delay, heartbeat period, pause. One word instead of nine saves about
/// 3,000 gas of calldata and log when a vault is created, and 1,000 with each payment.
library VaultTerms {
    uint256 internal constant INDIVIDUAL = 1;
    uint256 internal constant OMNIBUS = 2;

    /// The highest fee rate a configuration may have: 10 % a year, in hundredths of a percent.
    uint256 internal constant FEE_BPS_MAX = 1_000;

    /// Four bytes.
    uint256 private constant SECONDS = 0xffffffff;

    /// A configuration breaks the rule that `rule` names.
    error InvalidConfig(bytes32 rule);

    /// @notice keccak256(abi.encode(config)): the salt of the vault.
    /// @dev Of the calldata as it stands: stray bits would give another hash.
    function hashOf(VaultConfig calldata config) internal pure returns (bytes32 configHash) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            calldatacopy(free, config, 256)
            configHash := keccak256(free, 256)
        }
    }

    function kind(Terms terms) internal pure returns (uint256) {
        return (Terms.unwrap(terms) >> 240) & 0xff;
    }

    /// Fee in hundredths of a percent of the balance per year.
    function feeBpsYear(Terms terms) internal pure returns (uint256) {
        return (Terms.unwrap(terms) >> 224) & 0xffff;
    }

    /// Length of the window that limits count in.
    function windowSeconds(Terms terms) internal pure returns (uint256) {
        return (Terms.unwrap(terms) >> 192) & SECONDS;
    }

    /// What destinations, raised limits and rotations by the old key wait.
    function changeDelay(Terms terms) internal pure returns (uint256) {
        return (Terms.unwrap(terms) >> 160) & SECONDS;
    }

    /// What a rotation by the quorum waits.
    function recoveryDelay(Terms terms) internal pure returns (uint256) {
        return (Terms.unwrap(terms) >> 128) & SECONDS;
    }

    /// From the request of an exit until it pays.
    function exitDelay(Terms terms) internal pure returns (uint256) {
        return (Terms.unwrap(terms) >> 96) & SECONDS;
    }

    /// What a new exit destination waits.
    function exitChangeDelay(Terms terms) internal pure returns (uint256) {
        return (Terms.unwrap(terms) >> 64) & SECONDS;
    }

    /// The silence of the signer set after which anybody may open the exit.
    function heartbeatPeriod(Terms terms) internal pure returns (uint256) {
        return (Terms.unwrap(terms) >> 32) & SECONDS;
    }

    /// How long a pause lasts, and how long after it the same side cannot pause again.
    function pauseSeconds(Terms terms) internal pure returns (uint256) {
        return Terms.unwrap(terms) & SECONDS;
    }

    /// @notice Reverts with the broken rule.
    function requireValid(VaultConfig calldata config) internal pure {
        require(config.clientId != 0, InvalidConfig("clientId is zero"));
        require(config.signerSet != address(0), InvalidConfig("signerSet is zero"));
        require(config.feeReceiver != address(0), InvalidConfig("feeReceiver is zero"));
        require(config.exitDestination != address(0), InvalidConfig("exitDestination is zero"));
        require(config.exitDestination != config.feeReceiver, InvalidConfig("exitDestination takes fees"));
        require(config.clientKey != 0, InvalidConfig("clientKey is zero"));
        require(config.exitKey != 0, InvalidConfig("exitKey is zero"));
        require(config.clientKey != config.exitKey, InvalidConfig("exitKey is the clientKey"));
        require(config.policyHash != 0, InvalidConfig("policyHash is zero"));
        requireValidTerms(config.terms);
    }

    function requireValidTerms(Terms terms) private pure {
        require(Terms.unwrap(terms) >> 248 == 0, InvalidConfig("terms begin with zero"));
        require(kind(terms) == INDIVIDUAL || kind(terms) == OMNIBUS, InvalidConfig("kind is 1 or 2"));
        require(feeBpsYear(terms) <= FEE_BPS_MAX, InvalidConfig("feeBpsYear is too high"));
        require(windowSeconds(terms) != 0, InvalidConfig("windowSeconds is zero"));
        require(changeDelay(terms) != 0, InvalidConfig("changeDelay is zero"));
        require(recoveryDelay(terms) > changeDelay(terms), InvalidConfig("recoveryDelay > changeDelay"));
        require(exitDelay(terms) != 0, InvalidConfig("exitDelay is zero"));
        require(exitChangeDelay(terms) > exitDelay(terms), InvalidConfig("exitChangeDelay > exitDelay"));
        require(heartbeatPeriod(terms) != 0, InvalidConfig("heartbeatPeriod is zero"));
        require(pauseSeconds(terms) != 0, InvalidConfig("pauseSeconds is zero"));
        require(pauseSeconds(terms) <= exitDelay(terms), InvalidConfig("pauseSeconds <= exitDelay"));
    }
}
