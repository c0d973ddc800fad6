// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DestinationAddition, ExitRequest, KeyRotation, OneOff} from "../sources/vault/VaultMessages.sol";
import {VaultState} from "../sources/vault/VaultState.sol";
import {Side} from "../sources/vault/VaultTypes.sol";
import {Base64} from "solady/src/utils/Base64.sol";
import {Typed} from "./Typed.sol";
import {VaultWorld} from "./VaultWorld.sol";

/// @notice Clients whose keys are passkeys: WebAuthn over the EIP-712 digest. On prague the vault verifies them by
/// itself, on osaka the precompile does.
contract PasskeysTest is VaultWorld {
    uint256 private constant P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551;
    bytes1 private constant PRESENT = 0x01;
    bytes1 private constant VERIFIED = 0x04;

    Client private ada;
    uint256 private passkey = keyNamed("ada's phone");
    uint256 private exitPasskey = keyNamed("ada's safe");

    function setUp() external {
        buildWorld();
        Client memory client = newClient("ada", INDIVIDUAL);
        client.config.clientKey = passkeyId(passkey);
        client.config.exitKey = passkeyId(exitPasskey);
        place(client);
        ada = client;
        factory.create(ada.config);
        vm.deal(address(ada.vault), 100 ether);
    }

    function testAPasskeyAgreesToADestination(uint256 key) external {
        key = clamp(key, 1, P256_ORDER - 1);
        Client memory bob = newClient("bob", INDIVIDUAL);
        bob.config.clientKey = passkeyId(key);
        place(bob);
        factory.create(bob.config);
        DestinationAddition memory m = DestinationAddition(stranger, nextNonce(), soon());
        bob.vault.addDestination(bob.config, m, assertion(key, digestOf(bob, Typed.hash(m))));
        vm.assertEq(bob.vault.destinations(stranger), block.timestamp + CHANGE, "listed");
    }

    function testAPasskeyAgreesToAOneOff() external {
        OneOff memory m = oneOff(ETH, stranger, 1 ether);
        bytes memory signatures = byQuorum(ada, Typed.hash(m));
        ada.vault.payOnce(ada.config, m, signatures, assertion(passkey, digestOf(ada, Typed.hash(m))));
        vm.assertEq(stranger.balance, 1 ether, "paid");
    }

    function testAPasskeyExits() external {
        ExitRequest memory m = ExitRequest(nextNonce(), soon());
        bytes32 digest = digestOf(ada, Typed.hash(m));
        bytes memory other = assertion(passkey, digest);
        vm.expectRevert(abi.encodeWithSelector(VaultState.WrongKey.selector, Side.ExitKey, digest));
        ada.vault.requestExit(ada.config, m, other);
        ada.vault.requestExit(ada.config, m, assertion(exitPasskey, digest));
        pass(EXIT);
        ada.vault.exit(ada.config, ETH);
        vm.assertEq(ada.config.exitDestination.balance, 100 ether, "out");
    }

    function testAPasskeyIsReplacedByAKeyAndBack() external {
        KeyRotation memory m =
            KeyRotation(Side.ClientKey, Side.ClientKey, keyId(ada.clientKey), nextNonce(), soon());
        ada.vault.queueKeyRotation(ada.config, m, assertion(passkey, digestOf(ada, Typed.hash(m))));
        pass(CHANGE);
        ada.vault.executeKeyRotation(ada.config, m);
        addDestination(ada, stranger);
        m = queueRotation(ada, Side.ClientKey, Side.ClientKey, passkeyId(passkey));
        pass(CHANGE);
        ada.vault.executeKeyRotation(ada.config, m);
        DestinationAddition memory a = DestinationAddition(address(this), nextNonce(), soon());
        ada.vault.addDestination(ada.config, a, assertion(passkey, digestOf(ada, Typed.hash(a))));
    }

    function testWhoWasNotVerifiedDidNotSign() external {
        DestinationAddition memory m = DestinationAddition(stranger, nextNonce(), soon());
        bytes32 digest = digestOf(ada, Typed.hash(m));
        string memory json = clientData("webauthn.get", digest);
        refused(m, encode(passkey, json, PRESENT, 23, 1));
        refused(m, encode(passkey, json, VERIFIED, 23, 1));
        ada.vault.addDestination(ada.config, m, encode(passkey, json, PRESENT | VERIFIED, 23, 1));
    }

    function testAnAssertionIsOverThisDigestAlone() external {
        DestinationAddition memory m = DestinationAddition(stranger, nextNonce(), soon());
        refused(m, assertion(passkey, "another digest"));
        DestinationAddition memory more = DestinationAddition(operator, m.nonce, m.deadline);
        refused(m, assertion(passkey, digestOf(ada, Typed.hash(more))));
    }

    function testACreationIsNoAssertion() external {
        DestinationAddition memory m = DestinationAddition(stranger, nextNonce(), soon());
        string memory json = clientData("webauthn.got", digestOf(ada, Typed.hash(m)));
        refused(m, encode(passkey, json, PRESENT | VERIFIED, 23, 1));
    }

    function testTheIndexesMustPointAtWhatTheySay() external {
        DestinationAddition memory m = DestinationAddition(stranger, nextNonce(), soon());
        string memory json = clientData("webauthn.get", digestOf(ada, Typed.hash(m)));
        refused(m, encode(passkey, json, PRESENT | VERIFIED, 22, 1));
        refused(m, encode(passkey, json, PRESENT | VERIFIED, 23, 2));
        refused(m, encode(passkey, json, PRESENT | VERIFIED, type(uint256).max, 1));
        refused(m, encode(passkey, json, PRESENT | VERIFIED, 23, type(uint256).max));
    }

    function testAnotherPasskeyIsNot(uint256 key) external {
        key = clamp(key, 1, P256_ORDER - 1);
        vm.assume(key != passkey);
        DestinationAddition memory m = DestinationAddition(stranger, nextNonce(), soon());
        refused(m, assertion(key, digestOf(ada, Typed.hash(m))));
    }

    function testTheOtherSignatureOfAPasskeyIsNone() external {
        DestinationAddition memory m = DestinationAddition(stranger, nextNonce(), soon());
        bytes memory good = assertion(passkey, digestOf(ada, Typed.hash(m)));
        bytes memory high = bytes.concat(good);
        uint256 s;
        // The eighth value.
        assembly {
            s := mload(add(high, 256))
            mstore(add(high, 256), sub(P256_ORDER, s))
        }
        refused(m, high);
        ada.vault.addDestination(ada.config, m, good);
    }

    function testAKeyOfAnotherCurveIsNoPasskey() external {
        DestinationAddition memory m = DestinationAddition(stranger, nextNonce(), soon());
        refused(m, sign(passkey, digestOf(ada, Typed.hash(m))));
        refused(m, sign(ada.clientKey, digestOf(ada, Typed.hash(m))));
    }

    function testAPasskeyIsNoKeyOfAnotherClient() external {
        Client memory bob = openClient("bob", INDIVIDUAL);
        DestinationAddition memory m = DestinationAddition(stranger, nextNonce(), soon());
        bytes32 digest = digestOf(bob, Typed.hash(m));
        bytes memory signature = assertion(passkey, digest);
        vm.expectRevert(abi.encodeWithSelector(VaultState.WrongKey.selector, Side.ClientKey, digest));
        bob.vault.addDestination(bob.config, m, signature);
    }

    function testFragmentsOfAnAssertionAreNone(uint256 length) external {
        DestinationAddition memory m = DestinationAddition(stranger, nextNonce(), soon());
        bytes memory good = assertion(passkey, digestOf(ada, Typed.hash(m)));
        length = clamp(length, 0, 255);
        assembly {
            mstore(good, length)
        }
        refused(m, good);
    }

    /// @dev The arithmetic takes some 300,000 gas, the precompile 6,900.
    function testTheChainVerifiesWhereItCan() external {
        DestinationAddition memory m = DestinationAddition(stranger, nextNonce(), soon());
        bytes memory good = assertion(passkey, digestOf(ada, Typed.hash(m)));
        uint256 before = gasleft();
        ada.vault.addDestination(ada.config, m, good);
        uint256 used = before - gasleft();
        vm.assertTrue(hasPrecompile() == (used < 150_000), vm.toString(used));
    }

    /// @dev The sample of RFC 6979, A.2.5, for SHA-256, which is right.
    function hasPrecompile() private view returns (bool) {
        (, bytes memory answer) = address(0x100).staticcall(
            hex"af2bdbe1aa9b6ec1e2ade1d694f41fc71a831d0268e9891562113d8a62add1bf"
            hex"efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
            hex"f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"
            hex"60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
            hex"7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
        );
        return answer.length == 32;
    }

    function refused(DestinationAddition memory m, bytes memory signature) private {
        bytes32 digest = digestOf(ada, Typed.hash(m));
        vm.expectRevert(abi.encodeWithSelector(VaultState.WrongKey.selector, Side.ClientKey, digest));
        ada.vault.addDestination(ada.config, m, signature);
    }

    function passkeyId(uint256 key) private pure returns (bytes32) {
        (uint256 x, uint256 y) = vm.publicKeyP256(key);
        return keccak256(abi.encode(x, y));
    }

    function assertion(uint256 key, bytes32 digest) private pure returns (bytes memory) {
        return encode(key, clientData("webauthn.get", digest), PRESENT | VERIFIED, 23, 1);
    }

    function clientData(string memory kind, bytes32 digest) private pure returns (string memory) {
        string memory challenge = Base64.encode(abi.encode(digest), true, true);
        return string.concat(
            '{"type":"', kind, '","challenge":"', challenge, '","origin":"https://approve.example"}'
        );
    }

    function encode(uint256 key, string memory json, bytes1 flags, uint256 challengeIndex, uint256 typeIndex)
        private
        pure
        returns (bytes memory)
    {
        bytes memory data = abi.encodePacked(sha256("approve.example"), flags, uint32(7));
        (bytes32 r, bytes32 s) = vm.signP256(key, sha256(bytes.concat(data, sha256(bytes(json)))));
        (uint256 x, uint256 y) = vm.publicKeyP256(key);
        if (uint256(s) > P256_ORDER / 2) s = bytes32(P256_ORDER - uint256(s));
        return abi.encode(x, y, data, json, challengeIndex, typeIndex, r, s);
    }
}
