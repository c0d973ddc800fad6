// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Signatures of 65 bytes: r, s, v.
/// @dev By `ecrecover` alone. Code at the signer's address is ignored, because an EIP-7702 delegation would otherwise let
/// the delegate decide what the key has signed.
library Secp256k1 {
    /// Half of the group's order: the other half holds a second signature for each (EIP-2).
    uint256 private constant S_MAX = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    /// @return signer zero where the signature is not one
    function recover(bytes32 digest, bytes calldata signature) internal pure returns (address signer) {
        if (signature.length != 65) return address(0);
        bytes32 s = bytes32(signature[32:64]);
        if (uint256(s) > S_MAX) return address(0);
        // Any other v makes the precompile answer with nothing, which is zero.
        return ecrecover(digest, uint8(signature[64]), bytes32(signature[0:32]), s);
    }
}
