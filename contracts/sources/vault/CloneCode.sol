// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice The code of vaults and forwarders: 49 bytes that delegate to one implementation, for ever the same.
/// @dev Beside a minimal proxy (EIP-1167) it stops at once when it is called without data, so that ETH arrives from
/// senders that forward 2,300 gas; a delegated call alone would cost more than that.
///
///     5f 5f             two zeros: the output of the delegated call, or the end of an empty call
///     36 15 60 2f 57    without calldata, jump to the end and return nothing
///     36 5f 5f 37       copy the calldata
///     36 5f 73 <implementation> 5a f4
///     3d 5f 5f 3e       copy what it returned
///     5f 3d 91 60 2f 57 jump to the end if it succeeded
///     fd                else revert with it
///     5b f3             the end: return
library CloneCode {
    /// There was not enough gas to create it.
    error CloneNotCreated(bytes32 salt);

    function runtime(address implementation) internal pure returns (bytes memory) {
        return abi.encodePacked(
            hex"5f5f3615602f57365f5f37365f73", implementation, hex"5af43d5f5f3e5f3d91602f57fd5bf3"
        );
    }

    /// @dev Nine bytes that return the 49 behind them.
    function initCode(address implementation) internal pure returns (bytes memory) {
        return abi.encodePacked(
            hex"60318060095f395ff35f5f3615602f57365f5f37365f73", implementation, hex"5af43d5f5f3e5f3d91602f57fd5bf3"
        );
    }

    /// @notice The address that CREATE2 gives (EIP-1014).
    /// @dev The hash of 85 bytes: 0xff, deployer, salt, hash of the init code.
    function addressOf(address deployer, bytes32 salt, bytes32 initCodeHash) internal pure returns (address) {
        bytes32 hash;
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore8(free, 0xff)
            mstore(add(free, 1), shl(96, deployer))
            mstore(add(free, 21), salt)
            mstore(add(free, 53), initCodeHash)
            hash := keccak256(free, 85)
        }
        return address(uint160(uint256(hash)));
    }

    /// @notice Creates the clone at that address. Reverts where it exists already.
    function create(address implementation, bytes32 salt) internal returns (address clone) {
        bytes memory code = initCode(implementation);
        assembly ("memory-safe") {
            clone := create2(0, add(code, 32), mload(code), salt)
        }
        require(clone != address(0), CloneNotCreated(salt));
    }
}
