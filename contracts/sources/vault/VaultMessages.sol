// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Side} from "./VaultTypes.sol";

// What is signed, as EIP-712 types. Every struct has the fields of its type in the same order. The last two are always a
// nonce, which has an effect once in its space, and a deadline: the unix second after which the signature is worthless.
// A type that several sides may sign begins with the side, so that a signature never counts for another one.

struct Withdrawal {
    address token;
    address to;
    uint256 amount;
    uint256 nonce;
    uint64 deadline;
}

struct Payment {
    address token;
    address to;
    uint256 amount;
}

struct WithdrawalBatch {
    Payment[] payments;
    uint256 nonce;
    uint64 deadline;
}

struct OneOff {
    address token;
    address to;
    uint256 amount;
    uint256 nonce;
    uint64 deadline;
}

struct Fee {
    address token;
    uint256 amount;
    uint256 nonce;
    uint64 deadline;
}

struct Invalidation {
    uint256 nonce;
    uint64 deadline;
}

struct DestinationAddition {
    address to;
    uint256 nonce;
    uint64 deadline;
}

struct DestinationRemoval {
    Side side;
    address to;
    uint256 nonce;
    uint64 deadline;
}

struct LimitRaise {
    address token;
    uint104 cap;
    bool unlisted;
    uint256 nonce;
    uint64 deadline;
}

struct LimitLowering {
    Side side;
    address token;
    uint104 cap;
    bool unlisted;
    uint256 nonce;
    uint64 deadline;
}

struct ExitDestinationChange {
    address to;
    uint256 nonce;
    uint64 deadline;
}

struct KeyRotation {
    Side side;
    /// Whose key is replaced: the client key or the exit key.
    Side role;
    bytes32 newKey;
    uint256 nonce;
    uint64 deadline;
}

struct Veto {
    Side side;
    /// The EIP-712 digest of the message that queued the change.
    bytes32 change;
    uint256 nonce;
    uint64 deadline;
}

struct Pause {
    Side side;
    uint256 nonce;
    uint64 deadline;
}

struct ExitRequest {
    uint256 nonce;
    uint64 deadline;
}

struct ExitCancellation {
    uint256 nonce;
    uint64 deadline;
}

/// @notice EIP-712 type hashes and struct hashes.
library VaultMessages {
    bytes32 internal constant DOMAIN =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 internal constant NAME = keccak256("Bulkhead Vault");
    bytes32 internal constant VERSION = keccak256("1");

    bytes32 internal constant WITHDRAWAL =
        keccak256("Withdrawal(address token,address to,uint256 amount,uint256 nonce,uint64 deadline)");
    bytes32 internal constant PAYMENT = keccak256("Payment(address token,address to,uint256 amount)");
    bytes32 internal constant WITHDRAWAL_BATCH = keccak256(
        "WithdrawalBatch(Payment[] payments,uint256 nonce,uint64 deadline)Payment(address token,address to,uint256 amount)"
    );
    bytes32 internal constant ONE_OFF =
        keccak256("OneOff(address token,address to,uint256 amount,uint256 nonce,uint64 deadline)");
    bytes32 internal constant FEE = keccak256("Fee(address token,uint256 amount,uint256 nonce,uint64 deadline)");
    bytes32 internal constant INVALIDATION = keccak256("Invalidation(uint256 nonce,uint64 deadline)");
    bytes32 internal constant DESTINATION_ADDITION =
        keccak256("DestinationAddition(address to,uint256 nonce,uint64 deadline)");
    bytes32 internal constant DESTINATION_REMOVAL =
        keccak256("DestinationRemoval(uint8 side,address to,uint256 nonce,uint64 deadline)");
    bytes32 internal constant LIMIT_RAISE =
        keccak256("LimitRaise(address token,uint104 cap,bool unlisted,uint256 nonce,uint64 deadline)");
    bytes32 internal constant LIMIT_LOWERING =
        keccak256("LimitLowering(uint8 side,address token,uint104 cap,bool unlisted,uint256 nonce,uint64 deadline)");
    bytes32 internal constant EXIT_DESTINATION_CHANGE =
        keccak256("ExitDestinationChange(address to,uint256 nonce,uint64 deadline)");
    bytes32 internal constant KEY_ROTATION =
        keccak256("KeyRotation(uint8 side,uint8 role,bytes32 newKey,uint256 nonce,uint64 deadline)");
    bytes32 internal constant VETO = keccak256("Veto(uint8 side,bytes32 change,uint256 nonce,uint64 deadline)");
    bytes32 internal constant PAUSE = keccak256("Pause(uint8 side,uint256 nonce,uint64 deadline)");
    bytes32 internal constant EXIT_REQUEST = keccak256("ExitRequest(uint256 nonce,uint64 deadline)");
    bytes32 internal constant EXIT_CANCELLATION = keccak256("ExitCancellation(uint256 nonce,uint64 deadline)");

    /// @dev The domain of one vault on one chain, computed with each call: nothing that a fork could make stale.
    function domainSeparator() internal view returns (bytes32) {
        return keccak256(abi.encode(DOMAIN, NAME, VERSION, block.chainid, address(this)));
    }

    function digest(bytes32 structHash) internal view returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", domainSeparator(), structHash));
    }

    // The ABI encoding of a struct of atomic fields is its EIP-712 encoding, so the struct itself is encoded.

    function hash(Withdrawal calldata message) internal pure returns (bytes32) {
        return keccak256(abi.encode(WITHDRAWAL, message));
    }

    function hash(WithdrawalBatch calldata message) internal pure returns (bytes32) {
        bytes32[] memory hashes = new bytes32[](message.payments.length);
        for (uint256 i = 0; i < hashes.length; ++i) {
            hashes[i] = keccak256(abi.encode(PAYMENT, message.payments[i]));
        }
        bytes32 payments = keccak256(abi.encodePacked(hashes));
        return keccak256(abi.encode(WITHDRAWAL_BATCH, payments, message.nonce, message.deadline));
    }

    function hash(OneOff calldata message) internal pure returns (bytes32) {
        return keccak256(abi.encode(ONE_OFF, message));
    }

    function hash(Fee calldata message) internal pure returns (bytes32) {
        return keccak256(abi.encode(FEE, message));
    }

    function hash(Invalidation calldata message) internal pure returns (bytes32) {
        return keccak256(abi.encode(INVALIDATION, message));
    }

    function hash(DestinationAddition calldata message) internal pure returns (bytes32) {
        return keccak256(abi.encode(DESTINATION_ADDITION, message));
    }

    function hash(DestinationRemoval calldata message) internal pure returns (bytes32) {
        return keccak256(abi.encode(DESTINATION_REMOVAL, message));
    }

    function hash(LimitRaise calldata message) internal pure returns (bytes32) {
        return keccak256(abi.encode(LIMIT_RAISE, message));
    }

    function hash(LimitLowering calldata message) internal pure returns (bytes32) {
        return keccak256(abi.encode(LIMIT_LOWERING, message));
    }

    function hash(ExitDestinationChange calldata message) internal pure returns (bytes32) {
        return keccak256(abi.encode(EXIT_DESTINATION_CHANGE, message));
    }

    function hash(KeyRotation calldata message) internal pure returns (bytes32) {
        return keccak256(abi.encode(KEY_ROTATION, message));
    }

    function hash(Veto calldata message) internal pure returns (bytes32) {
        return keccak256(abi.encode(VETO, message));
    }

    function hash(Pause calldata message) internal pure returns (bytes32) {
        return keccak256(abi.encode(PAUSE, message));
    }

    function hash(ExitRequest calldata message) internal pure returns (bytes32) {
        return keccak256(abi.encode(EXIT_REQUEST, message));
    }

    function hash(ExitCancellation calldata message) internal pure returns (bytes32) {
        return keccak256(abi.encode(EXIT_CANCELLATION, message));
    }
}
