// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ClientKey} from "./ClientKey.sol";
import {CloneCode} from "./CloneCode.sol";
import {VaultEvents} from "./VaultEvents.sol";
import {VaultMessages} from "./VaultMessages.sol";
import {VaultPolicy} from "./VaultPolicy.sol";
import {VaultTerms} from "./VaultTerms.sol";
import {Gate, Side, VaultConfig, Window} from "./VaultTypes.sol";

/// @notice What a vault asks of its custodian's `SignerSet`.
interface VaultSigners {
    function isQuorum(bytes32 digest, bytes calldata signatures) external view returns (bool);
    function lastHeartbeat() external view returns (uint256);
}

/// @notice The state of a vault, and the three questions before anything happens: is this its configuration, did the
/// right side sign, and is it the first time?
/// @dev Nothing is initialised: every mapping begins with "no". Who sends a call never matters.
abstract contract VaultState is VaultEvents {
    /// What `destinations` holds for an address that was removed: later than any time, and not "never written".
    uint64 internal constant REMOVED = type(uint64).max;

    address private immutable factory;
    bytes32 private immutable initCodeHash;
    bytes32 private immutable vaultCodeHash;
    bytes32 private immutable forwarderCodeHash;

    /// Used nonces: one bit each, 256 in a word; the word's number has the side in its highest byte.
    mapping(uint256 word => uint256 bits) private usedNonces;

    /// Unix second from which an address may be paid; 0: never listed; `REMOVED`: removed.
    mapping(address to => uint64 activeFrom) public destinations;

    mapping(address token => Window) public limits;

    /// Caps of what goes to addresses nobody listed; of an omnibus alone.
    mapping(address token => Window) public unlistedLimits;

    /// Unix second until which the fee of a token was collected; 0: its clock was never started.
    mapping(address token => uint40 time) public feeClocks;

    /// Digest of a change to the unix second from which it may be executed; 0: not queued.
    mapping(bytes32 change => uint40 readyAt) public queued;

    /// When a limit was last lowered: raises that were queued until then are void.
    mapping(address token => mapping(bool unlisted => uint40 time)) public loweredAt;

    Gate public gate;

    /// The exit destination that replaced the configuration's; zero while none did.
    address internal newExitDestination;

    /// When that change was queued: those queued until then are void.
    uint40 internal exitDestinationQueuedAt;

    /// Keys that replaced the configuration's; zero while none did.
    mapping(Side role => bytes32 key) internal newKeys;

    /// When the rotation to the key in force was queued: those queued until then are void.
    mapping(Side role => uint40 time) internal keyQueuedAt;

    /// 1 while a call is going on; gone with the transaction (EIP-1153). A whole word, so that it is not read to be written.
    uint256 private transient entered;

    /// The configuration is not this vault's. Called directly, the implementation refuses every one.
    error WrongConfig(bytes32 configHash);

    error Reentered();
    error Expired(uint256 deadline, uint256 time);
    error NonceUsed(Side side, uint256 nonce);

    /// The signatures are not those of a quorum of the signer set over this digest.
    error NoQuorum(bytes32 digest);

    /// The signature is not that of the key in force of this side.
    error WrongKey(Side side, bytes32 digest);

    /// This side may not do this.
    error WrongSide(Side side);

    constructor(address forwarderImplementation) {
        factory = msg.sender;
        initCodeHash = keccak256(CloneCode.initCode(address(this)));
        vaultCodeHash = keccak256(CloneCode.runtime(address(this)));
        forwarderCodeHash = keccak256(CloneCode.runtime(forwarderImplementation));
    }

    /// @dev Everything that changes state goes through here: the right configuration, and no call from inside a transfer.
    modifier bound(VaultConfig calldata config) {
        enter(config);
        _;
        entered = 0;
    }

    function enter(VaultConfig calldata config) private {
        bytes32 configHash = VaultTerms.hashOf(config);
        require(CloneCode.addressOf(factory, configHash, initCodeHash) == address(this), WrongConfig(configHash));
        require(entered == 0, Reentered());
        entered = 1;
    }

    /// @notice Whether a nonce was used, or invalidated.
    function nonceUsed(Side side, uint256 nonce) external view returns (bool) {
        (uint256 word, uint256 bit) = placeOf(side, nonce);
        return usedNonces[word] & bit != 0;
    }

    /// @notice The keys and the exit destination in force.
    function roles(VaultConfig calldata config)
        external
        view
        returns (bytes32 clientKey, bytes32 exitKey, address exitDestination)
    {
        return (keyOf(config, Side.ClientKey), keyOf(config, Side.ExitKey), exitDestinationOf(config));
    }

    function keyOf(VaultConfig calldata config, Side role) internal view returns (bytes32 key) {
        key = newKeys[role];
        if (key == 0) key = role == Side.ClientKey ? config.clientKey : config.exitKey;
    }

    function exitDestinationOf(VaultConfig calldata config) internal view returns (address) {
        return newExitDestination == address(0) ? config.exitDestination : newExitDestination;
    }

    /// @dev Takes the nonce and returns the digest if the side signed this message, and the deadline has not passed.
    function authorise(
        VaultConfig calldata config,
        Side side,
        bytes32 structHash,
        uint256 nonce,
        uint256 deadline,
        bytes calldata signature
    ) internal returns (bytes32 digest) {
        require(block.timestamp <= deadline, Expired(deadline, block.timestamp));
        (uint256 word, uint256 bit) = placeOf(side, nonce);
        uint256 bits = usedNonces[word];
        require(bits & bit == 0, NonceUsed(side, nonce));
        usedNonces[word] = bits | bit;
        digest = VaultMessages.digest(structHash);
        if (side == Side.Quorum) {
            require(VaultSigners(config.signerSet).isQuorum(digest, signature), NoQuorum(digest));
        } else {
            requireKey(config, side, digest, signature);
        }
    }

    function requireKey(VaultConfig calldata config, Side side, bytes32 digest, bytes calldata signature)
        internal
        view
    {
        require(ClientKey.hasSigned(keyOf(config, side), digest, signature), WrongKey(side, digest));
    }

    /// @dev Changes stand still once an exit was requested, so that nobody outruns it.
    function requireNoExit() internal view {
        VaultPolicy.requireNoExit(gate.exitReadyAt);
    }

    /// @dev What the quorum may pay at all: neither zero nor this vault, and no vault or forwarder of this factory, which
    /// are known by their code; before they are deployed nobody can tell.
    function isFit(address to) internal view returns (bool) {
        bytes32 codeHash = to.codehash;
        return to != address(0) && to != address(this) && codeHash != vaultCodeHash && codeHash != forwarderCodeHash;
    }

    function placeOf(Side side, uint256 nonce) private pure returns (uint256 word, uint256 bit) {
        return ((uint256(side) << 248) | (nonce >> 8), 1 << (nonce & 0xff));
    }
}
