// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {LibCall} from "solady/src/utils/LibCall.sol";
import {ClientVault} from "./ClientVault.sol";
import {CloneCode} from "./CloneCode.sol";
import {DepositForwarder} from "./DepositForwarder.sol";
import {VaultTerms} from "./VaultTerms.sol";
import {VaultConfig} from "./VaultTypes.sol";

/// @notice Deploys vaults and forwarders at the address that their configuration has. Anybody may, in any order, twice:
/// the address is the agreement, and the factory has no owner and no state.
/// @dev Deployed through the deterministic deployment proxy (0x4e59b44847b379578588920cA78FbF26c0B4956C) with salt zero.
/// Both implementations are made here, so the factory's address fixes theirs, and all addresses are the same on every
/// chain.
contract VaultFactory {
    address public immutable forwarderImplementation;
    address public immutable vaultImplementation;
    bytes32 private immutable vaultInitCodeHash;
    bytes32 private immutable forwarderInitCodeHash;

    event VaultCreated(address indexed vault, bytes32 indexed clientId, VaultConfig config);
    event ForwarderCreated(address indexed forwarder, address indexed vault, bytes32 salt);

    constructor() {
        forwarderImplementation = address(new DepositForwarder());
        vaultImplementation = address(new ClientVault(forwarderImplementation));
        forwarderInitCodeHash = keccak256(CloneCode.initCode(forwarderImplementation));
        vaultInitCodeHash = keccak256(CloneCode.initCode(vaultImplementation));
    }

    /// @notice The address of the vault whose configuration has this hash, deployed or not.
    function vaultAddress(bytes32 configHash) public view returns (address) {
        return CloneCode.addressOf(address(this), configHash, vaultInitCodeHash);
    }

    /// @notice The address of a vault's forwarder, deployed or not.
    function forwarderAddress(address vault, bytes32 salt) public view returns (address) {
        return CloneCode.addressOf(address(this), forwarderSalt(vault, salt), forwarderInitCodeHash);
    }

    /// @notice Deploys a vault, if it is not there yet.
    function create(VaultConfig calldata config) public returns (address vault) {
        bytes32 configHash = VaultTerms.hashOf(config);
        vault = vaultAddress(configHash);
        // Asked before, because CREATE2 at an address that has code burns nearly all gas.
        if (vault.code.length != 0) return vault;
        VaultTerms.requireValid(config);
        CloneCode.create(vaultImplementation, configHash);
        emit VaultCreated(vault, config.clientId, config);
    }

    /// @notice Deploys those that are not there yet.
    function createMany(VaultConfig[] calldata configs) external {
        for (uint256 i = 0; i < configs.length; ++i) {
            create(configs[i]);
        }
    }

    /// @notice Deploys a vault if it is not there yet and calls it, all or nothing: the first payment of a client is one
    /// transaction.
    /// @dev That this contract is the caller gives no authority; in a vault signatures alone do.
    function createAndCall(VaultConfig calldata config, bytes[] calldata calls) external returns (address vault) {
        vault = create(config);
        for (uint256 i = 0; i < calls.length; ++i) {
            LibCall.callContract(vault, calls[i]);
        }
    }

    /// @notice Deploys a forwarder, if it is not there yet.
    function createForwarder(address vault, bytes32 salt) public returns (address forwarder) {
        forwarder = forwarderAddress(vault, salt);
        if (forwarder.code.length != 0) return forwarder;
        CloneCode.create(forwarderImplementation, forwarderSalt(vault, salt));
        emit ForwarderCreated(forwarder, vault, salt);
    }

    /// @notice Flushes one token of many forwarders of a vault, and deploys those that are not there yet.
    function flush(address vault, bytes32[] calldata salts, address token) external {
        for (uint256 i = 0; i < salts.length; ++i) {
            DepositForwarder(createForwarder(vault, salts[i])).flush(vault, salts[i], token);
        }
    }

    function forwarderSalt(address vault, bytes32 salt) private pure returns (bytes32) {
        return keccak256(abi.encode(vault, salt));
    }
}
