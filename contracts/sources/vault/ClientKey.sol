// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {WebAuthn} from "@openzeppelin/contracts/utils/cryptography/WebAuthn.sol";
import {Secp256k1} from "./Secp256k1.sol";

/// @notice The key of a client, named by 32 bytes: an address (secp256k1), or keccak256(abi.encode(x, y)) of a passkey.
/// @dev The two cannot be mistaken: an address has twelve zero bytes in front, which no one finds a passkey for.
library ClientKey {
    /// @dev abi.encode of these eight values is a passkey's signature.
    struct PasskeySignature {
        uint256 x;
        uint256 y;
        bytes authenticatorData;
        string clientDataJSON;
        uint256 challengeIndex;
        uint256 typeIndex;
        bytes32 r;
        bytes32 s;
    }

    /// What `PasskeySignature` takes at the least, in bytes.
    uint256 private constant PASSKEY_SIGNATURE_MIN = 8 * 32;

    /// @notice Whether the key signed the digest: 65 bytes of a secp256k1 key, or a WebAuthn assertion of a passkey over
    /// the digest as its challenge, with the user verified.
    function hasSigned(bytes32 key, bytes32 digest, bytes calldata signature) internal view returns (bool) {
        if (signature.length == 65) {
            address signer = Secp256k1.recover(digest, signature);
            return signer != address(0) && bytes32(uint256(uint160(signer))) == key;
        }
        if (signature.length < PASSKEY_SIGNATURE_MIN) return false;
        PasskeySignature calldata passkey;
        // The encoding of eight values is that of the struct without the offset in front of it.
        assembly ("memory-safe") {
            passkey := signature.offset
        }
        if (keccak256(abi.encode(passkey.x, passkey.y)) != key) return false;
        WebAuthn.WebAuthnAuth memory assertion = WebAuthn.WebAuthnAuth({
            authenticatorData: passkey.authenticatorData,
            clientDataJSON: passkey.clientDataJSON,
            challengeIndex: passkey.challengeIndex,
            typeIndex: passkey.typeIndex,
            r: passkey.r,
            s: passkey.s
        });
        return WebAuthn.verify(abi.encode(digest), assertion, bytes32(passkey.x), bytes32(passkey.y), true);
    }
}
