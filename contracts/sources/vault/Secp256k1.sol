// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Signatures of 65 bytes: r, s, v.
/// @dev By `ecrecover` alone. Code at the signer's address is ignored, because an EIP-7702 delegation would otherwise let
/// the delegate decide what the key has signed.
library Secp256k1 {
    /// Bytes of a signature.
    uint256 internal constant LENGTH = 65;

    /// Half of the group's order: the other half holds a second signature for each (EIP-2).
    uint256 private constant S_MAX = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    /// @return signer zero where the signature is not one
    function recover(bytes32 digest, bytes calldata signature) internal view returns (address signer) {
        return signature.length == LENGTH ? recoverAt(digest, signature, 0) : address(0);
    }

    /// @dev Reads 65 bytes from `position`, which the caller has checked to be there. Any other v than 27 and 28, and what is no
    /// signature, makes the precompile answer with nothing, which is read as zero.
    function recoverAt(bytes32 digest, bytes calldata signatures, uint256 position) internal view returns (address signer) {
        assembly ("memory-safe") {
            let start := add(signatures.offset, position)
            let s := calldataload(add(start, 32))
            if iszero(gt(s, S_MAX)) {
                let free := mload(0x40)
                mstore(free, digest)
                mstore(add(free, 32), byte(0, calldataload(add(start, 64))))
                mstore(add(free, 64), calldataload(start))
                mstore(add(free, 96), s)
                mstore(0, 0)
                pop(staticcall(gas(), 1, free, 128, 0, 32))
                signer := mload(0)
            }
        }
    }
}
