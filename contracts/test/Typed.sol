// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import "../sources/vault/VaultMessages.sol";
import {SignerSet} from "../sources/vault/SignerSet.sol";

/// @notice EIP-712 by a second hand: the type strings are written out here again, so that a slip in the contracts' own
/// makes every signature of a test worthless.
library Typed {
    function vaultDigest(address vault, bytes32 message) internal view returns (bytes32) {
        return vaultDigest(vault, message, block.chainid);
    }

    function vaultDigest(address vault, bytes32 message, uint256 chain) internal pure returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Bulkhead Vault"),
                keccak256("1"),
                chain,
                vault
            )
        );
        return keccak256(abi.encodePacked(hex"1901", domain, message));
    }

    function hash(Withdrawal memory m) internal pure returns (bytes32) {
        bytes32 kind =
            keccak256("Withdrawal(address token,address to,uint256 amount,uint256 nonce,uint64 deadline)");
        return keccak256(abi.encode(kind, m.token, m.to, m.amount, m.nonce, m.deadline));
    }

    function hash(WithdrawalBatch memory m) internal pure returns (bytes32) {
        bytes32 kind = keccak256(
            "WithdrawalBatch(Payment[] payments,uint256 nonce,uint64 deadline)Payment(address token,address to,uint256 amount)"
        );
        bytes32 paymentKind = keccak256("Payment(address token,address to,uint256 amount)");
        bytes memory payments;
        for (uint256 i = 0; i < m.payments.length; ++i) {
            Payment memory p = m.payments[i];
            payments = bytes.concat(payments, keccak256(abi.encode(paymentKind, p.token, p.to, p.amount)));
        }
        return keccak256(abi.encode(kind, keccak256(payments), m.nonce, m.deadline));
    }

    function hash(OneOff memory m) internal pure returns (bytes32) {
        bytes32 kind = keccak256("OneOff(address token,address to,uint256 amount,uint256 nonce,uint64 deadline)");
        return keccak256(abi.encode(kind, m.token, m.to, m.amount, m.nonce, m.deadline));
    }

    function hash(Fee memory m) internal pure returns (bytes32) {
        bytes32 kind = keccak256("Fee(address token,uint256 amount,uint256 nonce,uint64 deadline)");
        return keccak256(abi.encode(kind, m.token, m.amount, m.nonce, m.deadline));
    }

    function hash(Invalidation memory m) internal pure returns (bytes32) {
        bytes32 kind = keccak256("Invalidation(uint256 nonce,uint64 deadline)");
        return keccak256(abi.encode(kind, m.nonce, m.deadline));
    }

    function hash(DestinationAddition memory m) internal pure returns (bytes32) {
        bytes32 kind = keccak256("DestinationAddition(address to,uint256 nonce,uint64 deadline)");
        return keccak256(abi.encode(kind, m.to, m.nonce, m.deadline));
    }

    function hash(DestinationRemoval memory m) internal pure returns (bytes32) {
        bytes32 kind = keccak256("DestinationRemoval(uint8 side,address to,uint256 nonce,uint64 deadline)");
        return keccak256(abi.encode(kind, m.side, m.to, m.nonce, m.deadline));
    }

    function hash(LimitRaise memory m) internal pure returns (bytes32) {
        bytes32 kind =
            keccak256("LimitRaise(address token,uint104 cap,bool unlisted,uint256 nonce,uint64 deadline)");
        return keccak256(abi.encode(kind, m.token, m.cap, m.unlisted, m.nonce, m.deadline));
    }

    function hash(LimitLowering memory m) internal pure returns (bytes32) {
        bytes32 kind = keccak256(
            "LimitLowering(uint8 side,address token,uint104 cap,bool unlisted,uint256 nonce,uint64 deadline)"
        );
        return keccak256(abi.encode(kind, m.side, m.token, m.cap, m.unlisted, m.nonce, m.deadline));
    }

    function hash(ExitDestinationChange memory m) internal pure returns (bytes32) {
        bytes32 kind = keccak256("ExitDestinationChange(address to,uint256 nonce,uint64 deadline)");
        return keccak256(abi.encode(kind, m.to, m.nonce, m.deadline));
    }

    function hash(KeyRotation memory m) internal pure returns (bytes32) {
        bytes32 kind =
            keccak256("KeyRotation(uint8 side,uint8 role,bytes32 newKey,uint256 nonce,uint64 deadline)");
        return keccak256(abi.encode(kind, m.side, m.role, m.newKey, m.nonce, m.deadline));
    }

    function hash(Veto memory m) internal pure returns (bytes32) {
        bytes32 kind = keccak256("Veto(uint8 side,bytes32 change,uint256 nonce,uint64 deadline)");
        return keccak256(abi.encode(kind, m.side, m.change, m.nonce, m.deadline));
    }

    function hash(Pause memory m) internal pure returns (bytes32) {
        bytes32 kind = keccak256("Pause(uint8 side,uint256 nonce,uint64 deadline)");
        return keccak256(abi.encode(kind, m.side, m.nonce, m.deadline));
    }

    function hash(ExitRequest memory m) internal pure returns (bytes32) {
        bytes32 kind = keccak256("ExitRequest(uint256 nonce,uint64 deadline)");
        return keccak256(abi.encode(kind, m.nonce, m.deadline));
    }

    function hash(ExitCancellation memory m) internal pure returns (bytes32) {
        bytes32 kind = keccak256("ExitCancellation(uint256 nonce,uint64 deadline)");
        return keccak256(abi.encode(kind, m.nonce, m.deadline));
    }

    function changeDigest(address set, SignerSet.SetChange memory m) internal pure returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,address verifyingContract)"),
                keccak256("Bulkhead Signer Set"),
                keccak256("1"),
                set
            )
        );
        bytes32 kind = keccak256("SetChange(uint256 number,address[] members,uint8 threshold)");
        bytes32 members = keccak256(abi.encodePacked(m.members));
        bytes32 message = keccak256(abi.encode(kind, m.number, members, m.threshold));
        return keccak256(abi.encodePacked(hex"1901", domain, message));
    }

    function heartbeatDigest(address set, SignerSet.Heartbeat memory m) internal view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Bulkhead Signer Set"),
                keccak256("1"),
                block.chainid,
                set
            )
        );
        bytes32 kind = keccak256("Heartbeat(uint256 blockNumber,bytes32 blockHash,bytes32 statement)");
        bytes32 message = keccak256(abi.encode(kind, m.blockNumber, m.blockHash, m.statement));
        return keccak256(abi.encodePacked(hex"1901", domain, message));
    }
}
