// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {P256} from "@openzeppelin/contracts/utils/cryptography/P256.sol";

/// @notice Answers like Solady's verifier contract, with OpenZeppelin's arithmetic: 160 bytes in, one or zero out. It stands
/// in for it where there is no precompile of EIP-7951, because Solady's own code is on chains and not in its package.
contract P256Verifier {
    fallback(bytes calldata question) external returns (bytes memory) {
        (bytes32 hash, bytes32 r, bytes32 s, bytes32 x, bytes32 y) =
            abi.decode(question, (bytes32, bytes32, bytes32, bytes32, bytes32));
        return abi.encode(P256.verifySolidity(hash, r, s, x, y) ? 1 : 0);
    }
}
