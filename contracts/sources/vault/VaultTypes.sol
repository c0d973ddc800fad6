// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What a vault is, for ever. The vault's address commits to it, so it is given with every call and stored nowhere.
/// @dev Eight words. Its hash, keccak256(abi.encode(config)), is the CREATE2 salt of the vault.
struct VaultConfig {
    /// 32 random bytes that name the client; nothing personal.
    bytes32 clientId;
    /// The custodian's `SignerSet`: its quorum signs payments.
    address signerSet;
    /// The only address that fees go to.
    address feeReceiver;
    /// Where the exit pays, until the client changes it.
    address exitDestination;
    /// Key id (see `ClientKey`) that agrees to destinations and limits; of an omnibus, the pool's governance.
    bytes32 clientKey;
    /// Key id that requests the exit; of an omnibus, the insolvency administrator's.
    bytes32 exitKey;
    /// keccak256(abi.encode(InitialPolicy)): what was agreed from the start.
    bytes32 policyHash;
    /// Kind, fee rate and delays, packed as `VaultTerms` says.
    Terms terms;
}

/// @notice The small numbers of a configuration in one word.
type Terms is uint256;

/// @notice A cap on what leaves in one window. No cap, or a cap of zero, means that nothing leaves.
struct Limit {
    /// Zero is ETH.
    address token;
    /// In the token's smallest unit.
    uint104 cap;
}

/// @notice Destinations and limits that are in force from the start, once anybody has opened them.
struct InitialPolicy {
    address[] destinations;
    Limit[] limits;
    /// Caps of what goes to addresses that nobody listed; empty for an individual vault.
    Limit[] unlisted;
}

/// @notice Who authorises. Its number is also the nonce space that the signature uses.
enum Side {
    Quorum,
    ClientKey,
    ExitKey
}

/// @dev The state of one limit: 104 + 104 + 40 + 8 bits, one slot.
struct Window {
    uint104 cap;
    /// What left since `since`.
    uint104 spent;
    /// Unix second in which the window began; zero before the first payment.
    uint40 since;
    /// Whether a cap was ever written: the initial policy writes only what never was.
    bool written;
}

/// @dev What stands between a signature and a payment, in one slot. Unix seconds.
struct Gate {
    /// Zero: no exit. Later than now: exit requested. Otherwise: the exit is open.
    uint40 exitReadyAt;
    uint40 quorumPauseUntil;
    uint40 clientPauseUntil;
}
