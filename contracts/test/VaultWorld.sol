// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DemoToken} from "../sources/DemoToken.sol";
import {ClientVault} from "../sources/vault/ClientVault.sol";
import {SignerSet} from "../sources/vault/SignerSet.sol";
import {VaultFactory} from "../sources/vault/VaultFactory.sol";
import {VaultPolicy} from "../sources/vault/VaultPolicy.sol";
import "../sources/vault/VaultMessages.sol";
import {InitialPolicy, Limit, Side, Terms, VaultConfig} from "../sources/vault/VaultTypes.sol";
import {BulkheadTest} from "./BulkheadTest.sol";
import {Typed} from "./Typed.sol";

/// @notice A custodian with three signers of which two are enough, and clients with vaults of their own.
abstract contract VaultWorld is BulkheadTest {
    struct Client {
        ClientVault vault;
        VaultConfig config;
        /// abi.encode(InitialPolicy)
        bytes policy;
        uint256 clientKey;
        uint256 exitKey;
        /// Of the initial policy.
        address listed;
    }

    address internal constant ETH = address(0);
    uint256 internal constant START = 1_800_000_000;
    uint104 internal constant CAP = 100 ether;
    uint104 internal constant UNLISTED_CAP = 10 ether;

    uint256 internal constant WINDOW = 1 days;
    uint256 internal constant CHANGE = 2 days;
    uint256 internal constant RECOVERY = 7 days;
    uint256 internal constant EXIT = 14 days;
    uint256 internal constant EXIT_CHANGE = 21 days;
    uint256 internal constant HEARTBEAT = 90 days;
    uint256 internal constant PAUSE = 3 days;
    uint256 internal constant FEE_BPS = 100;
    uint256 internal constant INDIVIDUAL = 1;
    uint256 internal constant OMNIBUS = 2;

    uint256 internal constant GROUP_ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;

    VaultFactory internal factory;
    SignerSet internal signers;
    DemoToken internal dollar;
    /// Keys of the three members, ascending by address.
    uint256[] internal memberKeys;
    address internal operator = actor("fees of the custodian");
    address internal stranger = actor("stranger");
    uint256 private usedNonces;

    function buildWorld() internal {
        vm.warp(START);
        vm.roll(1_000);
        factory = VaultFactory(deploy("VaultFactory", ""));
        memberKeys = sortedKeys("member", 3);
        signers = SignerSet(deploy("SignerSet", abi.encode(addressesOf(memberKeys), uint8(2), uint32(CHANGE))));
        dollar = DemoToken(deploy("DemoToken", ""));
    }

    /// @notice A deployed vault with 100 ether and as many dollars, its initial policy open.
    function openClient(string memory name, uint256 kind) internal returns (Client memory client) {
        client = newClient(name, kind);
        factory.create(client.config);
        openPolicy(client);
        vm.deal(address(client.vault), 100 ether);
        dollar.mint(address(client.vault), 100 ether);
    }

    /// @notice A client whose vault has an address and no code.
    function newClient(string memory name, uint256 kind) internal view returns (Client memory client) {
        client.clientKey = keyNamed(string.concat(name, " client"));
        client.exitKey = keyNamed(string.concat(name, " exit"));
        client.listed = actor(string.concat(name, " destination"));
        client.policy = abi.encode(policyOf(client.listed, kind));
        client.config = VaultConfig({
            clientId: keccak256(bytes(name)),
            signerSet: address(signers),
            feeReceiver: operator,
            exitDestination: actor(string.concat(name, " exit destination")),
            clientKey: keyId(client.clientKey),
            exitKey: keyId(client.exitKey),
            policyHash: keccak256(client.policy),
            terms: termsOf(kind)
        });
        place(client);
    }

    /// @notice One destination, a cap for ETH and one for dollars; of an omnibus, lower ones for unlisted addresses.
    function policyOf(address listed, uint256 kind) internal view virtual returns (InitialPolicy memory policy) {
        policy.destinations = new address[](1);
        policy.destinations[0] = listed;
        policy.limits = new Limit[](2);
        policy.limits[0] = Limit(ETH, CAP);
        policy.limits[1] = Limit(address(dollar), CAP);
        if (kind == OMNIBUS) {
            policy.unlisted = new Limit[](2);
            policy.unlisted[0] = Limit(ETH, UNLISTED_CAP);
            policy.unlisted[1] = Limit(address(dollar), UNLISTED_CAP);
        }
    }

    function openPolicy(Client memory client) internal {
        client.vault.openPolicy(client.config, abi.decode(client.policy, (InitialPolicy)));
    }

    /// @notice Says again where the vault is, after its configuration was changed.
    function place(Client memory client) internal view {
        client.vault = ClientVault(factory.vaultAddress(keccak256(abi.encode(client.config))));
    }

    function termsOf(uint256 kind) internal view virtual returns (Terms) {
        return packTerms(
            kind, FEE_BPS, [WINDOW, CHANGE, RECOVERY, EXIT, EXIT_CHANGE, HEARTBEAT, PAUSE]
        );
    }

    function packTerms(uint256 kind, uint256 bps, uint256[7] memory delays) internal pure returns (Terms) {
        uint256 terms = (kind << 240) | (bps << 224);
        for (uint256 i = 0; i < 7; ++i) {
            terms |= delays[i] << (192 - 32 * i);
        }
        return Terms.wrap(terms);
    }

    // Keys and signatures.

    function keyNamed(string memory name) internal pure returns (uint256) {
        return uint256(keccak256(bytes(name))) >> 1;
    }

    function keyId(uint256 key) internal pure returns (bytes32) {
        return bytes32(uint256(uint160(vm.addr(key))));
    }

    function sortedKeys(string memory name, uint256 count) internal pure returns (uint256[] memory keys) {
        keys = new uint256[](count);
        for (uint256 i = 0; i < count; ++i) {
            uint256 key = uint256(keccak256(abi.encode(name, i))) >> 1;
            uint256 slot = i;
            while (slot > 0 && vm.addr(keys[slot - 1]) > vm.addr(key)) {
                keys[slot] = keys[slot - 1];
                --slot;
            }
            keys[slot] = key;
        }
    }

    function addressesOf(uint256[] memory keys) internal pure returns (address[] memory accounts) {
        accounts = new address[](keys.length);
        for (uint256 i = 0; i < keys.length; ++i) {
            accounts[i] = vm.addr(keys[i]);
        }
    }

    function sign(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    /// @notice The other signature that every signature has.
    function signHigh(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, bytes32(GROUP_ORDER - uint256(s)), v == 27 ? uint8(28) : uint8(27));
    }

    function signAll(uint256[] memory keys, bytes32 digest) internal pure returns (bytes memory signatures) {
        for (uint256 i = 0; i < keys.length; ++i) {
            signatures = bytes.concat(signatures, sign(keys[i], digest));
        }
    }

    function byMembers(uint256 first, uint256 second, bytes32 digest) internal view returns (bytes memory) {
        return bytes.concat(sign(memberKeys[first], digest), sign(memberKeys[second], digest));
    }

    function digestOf(Client memory client, bytes32 message) internal view returns (bytes32) {
        return Typed.vaultDigest(address(client.vault), message);
    }

    function byQuorum(Client memory client, bytes32 message) internal view returns (bytes memory) {
        return byMembers(0, 2, digestOf(client, message));
    }

    function byClient(Client memory client, bytes32 message) internal view returns (bytes memory) {
        return sign(client.clientKey, digestOf(client, message));
    }

    function byExit(Client memory client, bytes32 message) internal view returns (bytes memory) {
        return sign(client.exitKey, digestOf(client, message));
    }

    function bySide(Client memory client, Side side, bytes32 message) internal view returns (bytes memory) {
        if (side == Side.Quorum) return byQuorum(client, message);
        return side == Side.ClientKey ? byClient(client, message) : byExit(client, message);
    }

    // Messages, each with a nonce of its own and an hour to live.

    function nextNonce() internal returns (uint256) {
        return ++usedNonces;
    }

    function soon() internal view returns (uint64) {
        return uint64(block.timestamp + 1 hours);
    }

    function withdrawal(address token, address to, uint256 amount) internal returns (Withdrawal memory) {
        return Withdrawal(token, to, amount, nextNonce(), soon());
    }

    function oneOff(address token, address to, uint256 amount) internal returns (OneOff memory) {
        return OneOff(token, to, amount, nextNonce(), soon());
    }

    function payment(address token, address to, uint256 amount) internal pure returns (Payment memory) {
        return Payment(token, to, amount);
    }

    // What each side does when all is well. They revert as the vault does.

    function pay(Client memory c, address token, address to, uint256 amount) internal {
        Withdrawal memory m = withdrawal(token, to, amount);
        bytes memory signatures = byQuorum(c, Typed.hash(m));
        c.vault.pay(c.config, m, signatures);
    }

    function payOnce(Client memory c, address token, address to, uint256 amount) internal {
        OneOff memory m = oneOff(token, to, amount);
        c.vault.payOnce(c.config, m, byQuorum(c, Typed.hash(m)), byClient(c, Typed.hash(m)));
    }

    function collectFee(Client memory c, address token, uint256 amount) internal {
        Fee memory m = Fee(token, amount, nextNonce(), soon());
        c.vault.collectFee(c.config, m, byQuorum(c, Typed.hash(m)));
    }

    function invalidate(Client memory c, uint256 nonce) internal {
        Invalidation memory m = Invalidation(nonce, soon());
        c.vault.invalidate(c.config, m, byQuorum(c, Typed.hash(m)));
    }

    function addDestination(Client memory c, address to) internal {
        DestinationAddition memory m = DestinationAddition(to, nextNonce(), soon());
        c.vault.addDestination(c.config, m, byClient(c, Typed.hash(m)));
    }

    function removeDestination(Client memory c, Side side, address to) internal {
        DestinationRemoval memory m = DestinationRemoval(side, to, nextNonce(), soon());
        c.vault.removeDestination(c.config, m, bySide(c, side, Typed.hash(m)));
    }

    function queueLimitRaise(Client memory c, address token, uint104 cap, bool unlisted)
        internal
        returns (LimitRaise memory m)
    {
        m = LimitRaise(token, cap, unlisted, nextNonce(), soon());
        c.vault.queueLimitRaise(c.config, m, byClient(c, Typed.hash(m)));
    }

    function lowerLimit(Client memory c, Side side, address token, uint104 cap, bool unlisted) internal {
        LimitLowering memory m = LimitLowering(side, token, cap, unlisted, nextNonce(), soon());
        c.vault.lowerLimit(c.config, m, bySide(c, side, Typed.hash(m)));
    }

    function queueExitDestination(Client memory c, address to) internal returns (ExitDestinationChange memory m) {
        m = ExitDestinationChange(to, nextNonce(), soon());
        c.vault.queueExitDestination(c.config, m, byClient(c, Typed.hash(m)));
    }

    function queueRotation(Client memory c, Side side, Side role, bytes32 newKey)
        internal
        returns (KeyRotation memory m)
    {
        m = KeyRotation(side, role, newKey, nextNonce(), soon());
        c.vault.queueKeyRotation(c.config, m, bySide(c, side, Typed.hash(m)));
    }

    function veto(Client memory c, Side side, bytes32 message) internal {
        Veto memory m = Veto(side, digestOf(c, message), nextNonce(), soon());
        c.vault.veto(c.config, m, bySide(c, side, Typed.hash(m)));
    }

    function pause(Client memory c, Side side) internal {
        Pause memory m = Pause(side, nextNonce(), soon());
        c.vault.pause(c.config, m, bySide(c, side, Typed.hash(m)));
    }

    function requestExit(Client memory c) internal {
        ExitRequest memory m = ExitRequest(nextNonce(), soon());
        c.vault.requestExit(c.config, m, byExit(c, Typed.hash(m)));
    }

    function cancelExit(Client memory c) internal {
        ExitCancellation memory m = ExitCancellation(nextNonce(), soon());
        c.vault.cancelExit(c.config, m, byExit(c, Typed.hash(m)));
    }

    function heartbeat() internal {
        vm.roll(block.number + 2);
        SignerSet.Heartbeat memory m =
            SignerSet.Heartbeat(block.number - 1, keccak256(abi.encode(block.number)), "here");
        vm.setBlockhash(m.blockNumber, m.blockHash);
        signers.heartbeat(m, byMembers(0, 1, Typed.heartbeatDigest(address(signers), m)));
    }

    function pass(uint256 time) internal {
        vm.warp(block.timestamp + time);
    }

    /// @notice Goes to the second before a change is ready: the next call is to be refused for that.
    function passAlmost(bytes32 change, uint256 readyAt) internal {
        vm.warp(readyAt - 1);
        vm.expectRevert(abi.encodeWithSelector(VaultPolicy.NotReady.selector, change, readyAt, readyAt - 1));
    }
}
